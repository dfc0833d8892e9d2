"""A SavedModel for Beam's RunInference that answers or refuses each row of a batch."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from apache_beam.ml.inference import base
from tensorflow_serving.apis import prediction_log_pb2
from tfx_bsl.public.beam import run_inference
from tfx_bsl.public.proto import model_spec_pb2

# What the session raises, and what tfx_bsl does where an output has no row for each example.
_REFUSALS = (tf.errors.OpError, ValueError)


@dataclasses.dataclass(frozen=True)
class Refused:
    """A row that the model gives no answer to.

    Attributes:
        example: the serialized tf.train.Example.
        error: what it said.
    """

    example: bytes
    error: str


Answer: TypeAlias = prediction_log_pb2.PredictionLog | Refused


class _Session:
    """A session whose outputs tfx_bsl can take apart.

    It takes each row of an output for an array. That of a string [n] is bytes, at which it fails
    (tfx_bsl/beam/run_inference.py, _PredictModelHandler._post_process, up to 1.21): it gets a string [n, 1].
    """

    def __init__(self, session: tf.compat.v1.Session):
        self._session = session

    def run(self, fetches: Any, feed_dict: Any) -> dict[str, np.ndarray]:
        """The session's."""
        outputs = self._session.run(fetches, feed_dict)
        return {
            name: values[:, np.newaxis] if values.dtype == object and values.ndim == 1 else values
            for name, values in outputs.items()
        }


class EveryRow(base.ModelHandler[bytes, Answer, Any]):
    """tfx_bsl's handler of a SavedModel, but a failing batch is asked again row by row.

    Beam's own `with_exception_handling` would give up all rows of a batch for one.
    """

    def __init__(self, spec: model_spec_pb2.InferenceSpecType):
        """Wraps the handler that TFX's BulkInferrer uses.

        Args:
            spec: path, signature and batch sizes.

        Raises:
            RuntimeError: the model has no such signature.
        """
        super().__init__()
        self._inner = run_inference.CreateModelHandler(spec)

    def load_model(self) -> Any:
        """A session with the model in it."""
        return _Session(self._inner.load_model())

    def run_inference(
        self, batch: Sequence[bytes], model: Any, inference_args: dict[str, Any] | None = None
    ) -> list[Answer]:
        """Asks about serialized examples; what comes back is in their order."""
        try:
            return list(self._inner.run_inference(batch, model))
        except _REFUSALS:
            return [self._alone(example, model) for example in batch]

    def _alone(self, example: bytes, model: Any) -> Answer:
        try:
            [answer] = self._inner.run_inference([example], model)
        except _REFUSALS as error:
            return Refused(example, getattr(error, "message", str(error)))
        return answer

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        """The spec's batch sizes."""
        return self._inner.batch_elements_kwargs()

    def get_num_bytes(self, batch: Sequence[bytes]) -> int:
        """For Beam's metrics."""
        return sum(map(len, batch))

    def get_metrics_namespace(self) -> str:
        """TFX's own."""
        return self._inner.get_metrics_namespace()
