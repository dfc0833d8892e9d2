"""ServingValidator: a candidate must answer as a server what it answered in training."""
