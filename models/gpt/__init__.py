"""GPT: a causal language model, how it is trained, and how it writes and scores text."""
