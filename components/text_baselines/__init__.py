"""TextBaselines: what a model has to beat, learnt from the same examples."""
