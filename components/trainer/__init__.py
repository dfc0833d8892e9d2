"""Trainer: fine-tunes and exports on behalf of the TFX Trainer."""
