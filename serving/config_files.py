"""The text files that tensorflow_model_server reads, in its own formats.

`--model_config_file`'s message comes with tensorflow-serving-api. That package lacks the three
others, so their fields (names, numbers and types as in TensorFlow Serving's .proto files) are
declared here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.errors import invalid_argument

_FIELD_TYPES = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}

# Field -> (number, type). A type that is no scalar is a message of this table; "*" repeats.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    # google.protobuf's wrappers, which read the same in text.
    "Int64Value": {"value": (1, "int64")},
    "StringValue": {"value": (1, "string")},
    "BoolValue": {"value": (1, "bool")},
    "BatchingParameters": {
        "max_batch_size": (1, "Int64Value"),
        "batch_timeout_micros": (2, "Int64Value"),
        "max_enqueued_batches": (3, "Int64Value"),
        "num_batch_threads": (4, "Int64Value"),
        "thread_pool_name": (5, "StringValue"),
        "allowed_batch_sizes": (6, "int64*"),
        "pad_variable_length_inputs": (7, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
}


def read_model_server_config(path: str) -> model_server_config_pb2.ModelServerConfig:
    """`--model_config_file`.

    Raises:
        ServingError: INVALID_ARGUMENT, with file and line, if it can't be read.
    """
    return _parse(path, model_server_config_pb2.ModelServerConfig())


def read_batching_parameters(path: str) -> Any:
    """`--batching_parameters_file`, a BatchingParameters message; raises as above."""
    return _parse(path, _CLASSES["BatchingParameters"]())


def read_monitoring_config(path: str) -> Any:
    """`--monitoring_config_file`, a MonitoringConfig message; raises as above."""
    return _parse(path, _CLASSES["MonitoringConfig"]())


def read_ssl_config(path: str) -> Any:
    """`--ssl_config_file`, an SSLConfig message; raises as above."""
    return _parse(path, _CLASSES["SSLConfig"]())


def _parse(path: str, into: message.Message) -> Any:
    try:
        return text_format.Parse(Path(path).read_text("utf-8"), into)
    except (OSError, UnicodeDecodeError) as error:
        raise invalid_argument(f"can't read {path}: {error}") from error
    except text_format.ParseError as error:
        raise invalid_argument(f"{path}:{error}") from error


def _classes(messages: Mapping[str, Mapping[str, tuple[int, str]]]) -> dict[str, type]:
    file = descriptor_pb2.FileDescriptorProto(
        name="serving/config_files.proto", package="serving", syntax="proto3"
    )
    for name, fields in messages.items():
        declared = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            entry = declared.field.add(name=field, number=number)
            repeated = kind.endswith("*")
            entry.label = entry.LABEL_REPEATED if repeated else entry.LABEL_OPTIONAL
            scalar = kind.removesuffix("*")
            if scalar in _FIELD_TYPES:
                entry.type = _FIELD_TYPES[scalar]
            else:
                entry.type = entry.TYPE_MESSAGE
                entry.type_name = f".serving.{scalar}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: _class(pool.FindMessageTypeByName(f"serving.{name}")) for name in messages}


def _class(descriptor: Any) -> type:
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and newer
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory().GetPrototype(descriptor)


_CLASSES = _classes(_MESSAGES)
