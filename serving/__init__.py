"""Serving a pushed model: development server, client, server processes. Imports no TFX."""
