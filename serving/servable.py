"""One loaded version of a model, and Predict on its signatures.

The checks, their order and their words are TensorFlow Serving's (predict_util.cc).
"""

from collections.abc import Iterable, Mapping, Sequence
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
    """A SavedModel in memory.

    Args:
        name: the model's name.
        version: the version's number.
        path: the folder that holds `saved_model.pb`.
        tags: which of its graphs to load.

    Raises:
        ServingError: with the reason, if the folder holds no SavedModel that loads.
    """

    def __init__(self, name: str, version: int, path: Path, tags: Sequence[str] = ("serve",)):
        self.name = name
        self.version = version
        self.signature_defs = _read_signature_defs(path, tags)
        # Kept, not only its signatures: they hold the variables weakly.
        try:
            self._model = tf.saved_model.load(str(path), tags=list(tags))
        except tf.errors.OpError as error:  # a damaged or missing variables file
            raise _from_op_error(error) from error
        except Exception as error:  # any failure of this version, whatever it is, is its own
            raise ServingError(grpc.StatusCode.UNKNOWN, str(error)) from error

    def signature_def(self, signature_name: str) -> meta_graph_pb2.SignatureDef | None:
        """The signature of that name ("" means `serving_default`), or None."""
        return self.signature_defs.get(signature_name or DEFAULT_SIGNATURE)

    def predict(
        self,
        signature_name: str,
        inputs: Mapping[str, tf.Tensor],
        output_filter: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Runs one signature.

        Args:
            signature_name: "" means `serving_default`.
            inputs: a tensor for every input of the signature.
            output_filter: names of the outputs wanted; none means all.

        Returns:
            Outputs by name; strings as object arrays of bytes.

        Raises:
            ServingError: FAILED_PRECONDITION for an unknown signature, INVALID_ARGUMENT for
                inputs or outputs that do not fit it, or what the graph itself raised.
        """
        name = signature_name or DEFAULT_SIGNATURE
        signature = self.signature_def(name)
        if signature is None or name not in self._model.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        _check_inputs(signature, inputs)
        wanted = _wanted_outputs(signature, output_filter)
        try:
            outputs = self._model.signatures[name](**inputs)
        except tf.errors.OpError as error:
            raise _from_op_error(error) from error
        except (TypeError, ValueError) as error:  # a shape the signature does not take
            raise invalid_argument(str(error)) from error
        return {alias: _array(outputs[alias]) for alias in wanted}


_STATUS_BY_NUMBER = {status.value[0]: status for status in grpc.StatusCode}


def _read_signature_defs(path: Path, tags: Sequence[str]) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The signatures as they stand in the file: what GetModelMetadata answers."""
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
            return dict(graph.signature_def)
    raise ServingError(
        grpc.StatusCode.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }} in {file}",
    )


def _check_inputs(signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, tf.Tensor]) -> None:
    sent, expected = set(inputs), set(signature.inputs)
    if len(sent) != len(expected):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braced(sent)}) != len({_braced(expected)}). "
            f"Sent extra: {_braced(sent - expected)}. "
            f"Missing but required: {_braced(expected - sent)}."
        )
    for position, (alias, info) in enumerate(sorted(signature.inputs.items())):
        if alias not in inputs:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {info.name}) not found in request and "
                "no default value provided. Inputs expected to be in the request "
                f"{_braced(sent)}, or default input alias set: "
            )
        expected_type, sent_type = tf.as_dtype(info.dtype), inputs[alias].dtype
        if sent_type != expected_type:
            raise invalid_argument(
                f"Expects arg[{position}] to be {expected_type.name} "
                f"but {sent_type.name} is provided"
            )


def _wanted_outputs(
    signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]
) -> list[str]:
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return list(output_filter) or sorted(signature.outputs)


def _array(tensor: tf.Tensor) -> np.ndarray:
    """An array even of a scalar, for which `numpy()` gives a bare number or bytes."""
    return np.asarray(tensor.numpy(), dtype=tensor.dtype.as_numpy_dtype)


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _from_op_error(error: tf.errors.OpError) -> ServingError:
    # The operation's own words, without where the graph was built and what eager mode called it.
    cause = error.message.rsplit("<stack traces unavailable>\n", 1)[-1].split(" [Op:", 1)[0]
    return ServingError(_STATUS_BY_NUMBER[error.error_code], cause)
