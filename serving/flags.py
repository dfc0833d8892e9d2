"""The development server's command line: tensorflow_model_server's own flag names and defaults.

Only flags that do something here exist; any other is refused, so that a script written for
tensorflow_model_server never runs with a setting silently ignored.
"""

import argparse
import dataclasses
import difflib
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class ServerFlags:
    """Settings of one server process. Names and defaults are tensorflow_model_server's.

    Some things differ, and `--help` says so: the address is loopback unless told otherwise,
    `port=0` asks for a free port where TensorFlow Serving would export no gRPC, and the last two
    flags are not TensorFlow Serving's.
    """

    model_base_path: str = ""
    model_name: str = "default"
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    allow_version_labels_for_unavailable_models: bool = False
    port: int = 8500
    rest_api_port: int = 0
    rest_api_timeout_in_ms: int = 30_000
    bind_address: str = "127.0.0.1"
    ssl_config_file: str = ""
    enable_grpc_healthcheck_service: bool = False
    monitoring_config_file: str = ""
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_model_warmup: bool = True
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    saved_model_tags: str = "serve"
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    max_request_bytes: int = 64 * 2**20
    max_concurrent_requests: int = 1000


_HELP = {
    "model_base_path": "holds one folder a version, PATH/<integer>/saved_model.pb",
    "model_name": "the name under which the model is served",
    "model_config_file": "a ModelServerConfig in text format: the models to serve, with version "
    "policies and labels; the two flags above are then ignored",
    "model_config_file_poll_wait_seconds": "seconds between two readings of that file; 0 reads it "
    "once",
    "allow_version_labels_for_unavailable_models": "let a new label name a version that is not "
    "available yet; labels in the first configuration need it",
    "port": "TCP port for gRPC; 0 picks a free one and prints it",
    "rest_api_port": "TCP port for HTTP/REST; 0 exports no REST API",
    "rest_api_timeout_in_ms": "how long a REST request may take",
    "bind_address": "address to listen on; tensorflow_model_server has no such flag: it listens on "
    "every address, this server on loopback unless told otherwise",
    "ssl_config_file": "an SSLConfig in text format: gRPC only through TLS; REST stays as it is",
    "enable_grpc_healthcheck_service": "serve grpc.health.v1.Health; needs the package "
    "grpcio-health-checking",
    "monitoring_config_file": "a MonitoringConfig in text format: Prometheus metrics on the REST "
    "port",
    "enable_batching": "run requests that arrive together as one batch",
    "batching_parameters_file": "a BatchingParameters in text format",
    "enable_model_warmup": "answer a model's own warm-up requests before it is put in service",
    "file_system_poll_wait_seconds": "seconds between two looks for a new version; 0 looks once",
    "max_num_load_retries": "how often a failed load is tried again",
    "load_retry_interval_micros": "microseconds between two tries",
    "saved_model_tags": "comma-separated tags of the graph to load",
    "tensorflow_session_parallelism": "both of the two below; 0 lets TensorFlow choose",
    "tensorflow_intra_op_parallelism": "threads inside one operation; 0 lets TensorFlow choose",
    "tensorflow_inter_op_parallelism": "operations run at once; 0 lets TensorFlow choose",
    "max_request_bytes": "larger requests get RESOURCE_EXHAUSTED or HTTP 429; "
    "tensorflow_model_server has no such flag",
    "max_concurrent_requests": "further requests get RESOURCE_EXHAUSTED or HTTP 429; "
    "tensorflow_model_server has no such flag",
}


def parse_flags(argv: Sequence[str]) -> ServerFlags:
    """Parses `--flag=value` and `--flag value`.

    Raises:
        SystemExit: code 2 and one line on stderr for an unknown flag (with the nearest known
            name), a missing value or a value out of range; code 0 after `--help`.
    """
    parser = _parser()
    known, unknown = parser.parse_known_args(argv)
    if unknown:  # before what is missing: a misspelt flag explains why something is missing
        parser.error(_unknown_argument(unknown[0]))
    flags = ServerFlags(**vars(known))
    if not flags.model_base_path and not flags.model_config_file:
        parser.error(
            "--model_base_path=PATH is required (the directory that holds the versions), "
            "or --model_config_file=FILE"
        )
    if flags.batching_parameters_file and not flags.enable_batching:
        parser.error("--batching_parameters_file does nothing without --enable_batching=true")
    if flags.monitoring_config_file and not flags.rest_api_port:
        parser.error("--monitoring_config_file needs --rest_api_port: metrics are exported there")
    if flags.port and flags.port == flags.rest_api_port:
        parser.error(f"--port and --rest_api_port are both {flags.port}: give them different ports")
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        usage="%(prog)s (--model_base_path=PATH | --model_config_file=FILE) [--flag=value ...]",
        description="Development stand-in for tensorflow_model_server: same flags, same gRPC and "
        "REST API. In production use the official tensorflow/serving binary.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(ServerFlags):
        kind = type(field.default)
        default = str(field.default).lower() if kind is bool else field.default
        bare: dict = {"nargs": "?", "const": True} if kind is bool else {}
        parser.add_argument(
            f"--{field.name}",
            default=field.default,
            type=_VALUE_TYPES.get(field.name) or _TYPES[kind],
            metavar="VALUE",
            help=_HELP[field.name] + (f" (default: {default})" if default != "" else ""),
            **bare,
        )
    return parser


def _count(text: str) -> int:
    """A whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _true_or_false(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return values[text.lower()]


def _port(text: str) -> int:
    port = _count(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a TCP port (0 to 65535)")
    return port


def _positive(text: str) -> int:
    count = _count(text)
    if not count:
        raise argparse.ArgumentTypeError("must be at least 1")
    return count


_TYPES: dict[type, Callable] = {str: str, int: _count, bool: _true_or_false}
_VALUE_TYPES = {
    "port": _port,
    "rest_api_port": _port,
    "rest_api_timeout_in_ms": _positive,
    "max_request_bytes": _positive,
    "max_concurrent_requests": _positive,
}


def _unknown_argument(argument: str) -> str:
    name = argument.split("=", 1)[0]
    known = [f"--{field.name}" for field in dataclasses.fields(ServerFlags)]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return f"unknown argument {name}; the nearest flag that does something here is {nearest}"
