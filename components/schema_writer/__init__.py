"""Writes down a schema that is known before any data is read."""
