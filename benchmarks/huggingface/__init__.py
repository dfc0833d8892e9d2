"""The peer, Hugging Face Transformers on PyTorch; runs in an environment of its own."""
