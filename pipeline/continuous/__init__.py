"""Continuous training: each new span of data makes a candidate, which takes over or is turned down."""
