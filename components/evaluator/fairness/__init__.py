"""Groups of examples, gaps between them, and what swapping their words does to the predictions."""
