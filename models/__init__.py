"""Keras and tf.data only: tokenizer, backbone, tasks, training loop, export. No TFX, no Beam."""
