"""Transform: tokens and label ids, made once and used by training, evaluation and serving."""
