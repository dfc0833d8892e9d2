"""Tuner: searches for training settings on behalf of the TFX Tuner."""
