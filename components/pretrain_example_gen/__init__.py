"""PretrainExampleGen: turns documents into the packed token rows that language models learn from."""
