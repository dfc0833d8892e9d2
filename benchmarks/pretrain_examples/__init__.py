"""Making pretraining examples beside Google's create_pretraining_data."""
