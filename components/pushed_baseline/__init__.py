"""Finds the model that serves now, for the candidate to be compared with."""
