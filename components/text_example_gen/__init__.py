"""ExampleGen of text in CSV, TSV, JSON Lines, Parquet, plain lines or TFRecord."""
