"""Measurements, each run by `python -m benchmarks.NAME`."""

from serving.quiet import quiet_tensorflow

quiet_tensorflow()  # here, because the benchmarks import TensorFlow before they do anything else
