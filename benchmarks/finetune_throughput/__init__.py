"""One epoch of fine-tuning beside Hugging Face Transformers on PyTorch."""
