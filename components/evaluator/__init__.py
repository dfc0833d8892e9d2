"""Evaluator: what TFMA measures, on which slices, against which baseline."""
