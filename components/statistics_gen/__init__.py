"""TFX's StatisticsGen on the in-memory Beam runner."""
