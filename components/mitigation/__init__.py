"""Training examples in which a group tells less of the label."""
