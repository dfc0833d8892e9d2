"""The image of the official server, tensorflow/serving, that a model is validated with and deployed on."""

# Tests hold serving/deploy, the documentation and ServingValidator to it.
TAG = "2.19.1"
