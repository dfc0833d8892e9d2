"""Makes JSON Lines or Parquet of a model's answers."""
