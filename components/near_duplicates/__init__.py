"""Finds texts that are nearly equal, among many, without comparing all with all."""
