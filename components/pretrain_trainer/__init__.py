"""What the TFX Trainer runs to pretrain a language model."""
