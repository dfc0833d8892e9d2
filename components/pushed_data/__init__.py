"""Finds the data that the model that serves now has learned from, for new data to be compared with."""
