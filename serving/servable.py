"""One loaded version of a model.

It is loaded and run as TensorFlow Serving does it, in a session over the file's own graph, and not
by Python's `tf.saved_model.load`: the two differ in which models they accept, in what a signature
computes when fewer outputs are asked for, and in whether a run can be given a time limit.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the custom ops that exported tokenizers use
from google.protobuf import message
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.errors import ServingError, invalid_argument

DEFAULT_SIGNATURE = "serving_default"


class Servable:
    """A SavedModel in memory. It is freed when nobody holds it any more.

    Args:
        name: the model's name.
        version: the version's number.
        path: the folder that holds `saved_model.pb`.
        tags: which of its graphs to load.
        config: of its session: threads.

    Raises:
        ServingError: with the reason, if the folder holds no SavedModel that loads.
    """

    def __init__(
        self,
        name: str,
        version: int,
        path: Path,
        tags: Sequence[str] = ("serve",),
        config: tf.compat.v1.ConfigProto | None = None,
    ):
        self.name = name
        self.version = version
        self.path = path
        meta_graph = _read_meta_graph(path, tags)
        self.signature_defs = dict(meta_graph.signature_def)
        graph = tf.Graph()
        try:
            with graph.as_default():
                self._session = tf.compat.v1.Session(graph=graph, config=config)
                tf.compat.v1.saved_model.load(self._session, list(tags), str(path))
        except tf.errors.OpError as error:  # a damaged or missing variables file
            raise _from_op_error(error) from error
        except Exception as error:  # any failure of this version, whatever it is, is its own
            raise ServingError(grpc.StatusCode.UNKNOWN, str(error)) from error

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Sequence[str],
        deadline: float | None = None,
    ) -> list[np.ndarray]:
        """Runs the graph once. May be called from any thread.

        Args:
            feeds: value by tensor name; strings as object arrays of bytes.
            fetches: names of the tensors wanted.
            deadline: when to give up, in seconds of time.monotonic().

        Returns:
            The tensors, in the order of `fetches`.

        Raises:
            ServingError: DEADLINE_EXCEEDED, INVALID_ARGUMENT for a shape that the graph does not
                take, or what an operation of the graph raised.
        """
        try:
            values = self._session.run(list(fetches), feeds, options=_options(deadline))
        except tf.errors.OpError as error:
            raise _from_op_error(error) from error
        except (TypeError, ValueError) as error:
            raise invalid_argument(str(error)) from error
        # A scalar comes as a bare number or bytes.
        return [v if isinstance(v, np.ndarray) else _scalar(v) for v in values]


def _options(deadline: float | None) -> tf.compat.v1.RunOptions | None:
    if deadline is None:
        return None
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise ServingError(
            grpc.StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the model could run"
        )
    return tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(remaining * 1000)))


def _scalar(value: object) -> np.ndarray:
    return np.array(value, object if isinstance(value, bytes) else None)


def _read_meta_graph(path: Path, tags: Sequence[str]) -> meta_graph_pb2.MetaGraphDef:
    """The graph as it stands in the file; its signatures are what GetModelMetadata answers.

    Raises:
        ServingError: NOT_FOUND without the file, the graph, or the variables it restores (the
            loader would go on without them), DATA_LOSS if the file is damaged.
    """
    file = path / "saved_model.pb"
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except OSError as error:
        raise ServingError(
            grpc.StatusCode.NOT_FOUND,
            f"Could not find SavedModel .pb at supplied export directory path: {path}. Check that "
            "the directory exists and that you have the right permissions for accessing it: "
            f"{error}",
        ) from error
    except message.DecodeError as error:
        raise ServingError(
            grpc.StatusCode.DATA_LOSS, f"Can't parse {file} as binary proto"
        ) from error
    for graph in saved_model.meta_graphs:
        if set(graph.meta_info_def.tags) == set(tags):
            break
    else:
        raise ServingError(
            grpc.StatusCode.NOT_FOUND,
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }} "
            f"in {file}",
        )
    index = path / "variables" / "variables.index"
    if graph.saver_def.restore_op_name and not index.is_file():
        raise ServingError(
            grpc.StatusCode.NOT_FOUND, f"Could not find {index}: is the folder only half copied?"
        )
    return graph


_STATUS_BY_NUMBER = {status.value[0]: status for status in grpc.StatusCode}


def _from_op_error(error: tf.errors.OpError) -> ServingError:
    """What an operation of the graph said, in the words that TensorFlow Serving passes on."""
    # Without what Python's session puts around it: a headline, and where the graph was built.
    cause = error.message.removeprefix("Graph execution error:\n\n")
    cause = cause.split("\n\nOriginal stack trace", 1)[0]
    return ServingError(_STATUS_BY_NUMBER[error.error_code], cause)
