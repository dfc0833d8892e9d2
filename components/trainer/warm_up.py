"""Warm-up requests: what a server asks a new version before anyone else may.

The first run of a signature is slow: TensorFlow prepares the graph, and memory and kernels for the sizes that
it meets. TensorFlow Serving and the development server therefore answer the requests that a version brings
along, and put it in service after that (tensorflow.org/tfx/serving/saved_model_warmup).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    input_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from models.config import ClassifierConfig
from models.export import TEXT, TEXT_PAIR
from models.gpt.config import GptConfig
from models.gpt.text_generator import GENERATE_SIGNATURE

MAX_BATCH_ROWS = 64  # of a request, and of a batch that a server makes of several
_SHORT = (
    "a"  # a word for every tokenizer: where it is not in the vocabulary, it is one unknown token
)
_NEW_TOKENS = 2  # the first fills the cache, the second reads it
_SETTINGS = {
    "max_new_tokens": _NEW_TOKENS,
    "temperature": 1.0,
    "top_k": 40,
    "top_p": 0.95,
    "seed": 0,
}


def classifier_requests(config: ClassifierConfig) -> list[prediction_log_pb2.PredictionLog]:
    """Requests for every signature of `components.trainer.run_fn`'s export.

    Each is asked with one short text, one that fills the model, and a full batch of short ones. A full batch
    of the longest is not among them: a large encoder would need long for it, and a new version waits.

    Args:
        config: of the classifier.
    """
    texts = _texts(config.max_length)
    return [log for rows in texts for log in _classifier_logs(config, rows)]


def generator_requests(config: GptConfig) -> list[prediction_log_pb2.PredictionLog]:
    """Requests for `generate`, `score` and `serving_default` of a GPT, of the same sizes.

    Args:
        config: of the decoder.
    """
    texts = _texts(config.max_sequence_length)
    return [log for rows in texts for log in _generator_logs(rows)]


def _texts(max_length: int) -> list[list[str]]:
    longest = " ".join([_SHORT] * max_length)  # at least a token a word
    return [[_SHORT], [longest], [_SHORT] * MAX_BATCH_ROWS]


def _classifier_logs(
    config: ClassifierConfig, rows: Sequence[str]
) -> list[prediction_log_pb2.PredictionLog]:
    names = [TEXT, TEXT_PAIR] if config.pairs else [TEXT]
    texts = {name: np.array(rows, object) for name in names}
    examples = [_example(dict.fromkeys(names, row)) for row in rows]
    serialized = {"examples": np.array([e.SerializeToString() for e in examples], object)}
    return [
        _predict("serving_text", texts),
        _predict("embed", texts),
        _predict("serving_default", serialized),
        _predict("transform_features", serialized),
        _regress(examples) if config.task == "regression" else _classify(examples),
    ]


def _generator_logs(rows: Sequence[str]) -> list[prediction_log_pb2.PredictionLog]:
    texts = np.array(rows, object)
    examples = np.array([_example({TEXT: row}).SerializeToString() for row in rows], object)
    settings = {
        name: np.full([len(rows)], value, GENERATE_SIGNATURE[name].dtype.as_numpy_dtype)
        for name, value in _SETTINGS.items()
    }
    return [
        _predict("generate", {"prompt": texts, **settings}),
        _predict("score", {"text": texts}),
        _predict("serving_default", {"examples": examples}),
    ]


def _example(texts: Mapping[str, str]) -> tf.train.Example:
    example = tf.train.Example()
    for name, text in texts.items():
        example.features.feature[name].bytes_list.value.append(text.encode())
    return example


def _predict(signature: str, inputs: Mapping[str, np.ndarray]) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log


def _classify(examples: Sequence[tf.train.Example]) -> prediction_log_pb2.PredictionLog:
    request = classification_pb2.ClassificationRequest(input=_input(examples))
    request.model_spec.signature_name = "classify"
    return prediction_log_pb2.PredictionLog(
        classify_log=prediction_log_pb2.ClassifyLog(request=request)
    )


def _regress(examples: Sequence[tf.train.Example]) -> prediction_log_pb2.PredictionLog:
    request = regression_pb2.RegressionRequest(input=_input(examples))
    request.model_spec.signature_name = "regress"
    return prediction_log_pb2.PredictionLog(
        regress_log=prediction_log_pb2.RegressLog(request=request)
    )


def _input(examples: Sequence[tf.train.Example]) -> input_pb2.Input:
    return input_pb2.Input(example_list=input_pb2.ExampleList(examples=examples))
