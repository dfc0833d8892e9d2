"""Who listens to a training: TensorBoard, Weights & Biases, and the line that a person watches."""
