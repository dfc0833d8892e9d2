"""The server under load, beside a Hugging Face pipeline behind FastAPI and the SavedModel in process."""
