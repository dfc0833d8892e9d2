"""ModelCard: what a model is for, what it was made of and how it was judged, in the standard form."""
