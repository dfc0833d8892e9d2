"""TFX's BulkInferrer, which asks about every row and loses none."""
