"""The development server's command line: tensorflow_model_server's own flag names and defaults.

Only flags that do something here exist; any other is refused, so that a script written for
tensorflow_model_server never runs with a setting silently ignored.
"""

import argparse
import dataclasses
import difflib
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class ServerFlags:
    """Settings of one server process. Names and defaults are tensorflow_model_server's.

    Two things differ, and `--help` says so: the address is loopback unless told otherwise, and
    `port=0` asks for a free port where TensorFlow Serving would export no gRPC.
    """

    model_base_path: str
    model_name: str = "default"
    port: int = 8500
    rest_api_port: int = 0
    bind_address: str = "127.0.0.1"
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    saved_model_tags: str = "serve"
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0


_HELP = {
    "model_base_path": "holds one folder a version, PATH/<integer>/saved_model.pb (required)",
    "model_name": "the name under which the model is served",
    "port": "TCP port for gRPC; 0 picks a free one and prints it",
    "rest_api_port": "TCP port for HTTP/REST; 0 exports no REST API",
    "bind_address": "address to listen on; tensorflow_model_server has no such flag: it listens on "
    "every address, this server on loopback unless told otherwise",
    "file_system_poll_wait_seconds": "seconds between two looks for a new version; 0 looks once",
    "max_num_load_retries": "how often a failed load is tried again",
    "load_retry_interval_micros": "microseconds between two tries",
    "saved_model_tags": "comma-separated tags of the graph to load",
    "tensorflow_session_parallelism": "both of the two below; 0 lets TensorFlow choose",
    "tensorflow_intra_op_parallelism": "threads inside one operation; 0 lets TensorFlow choose",
    "tensorflow_inter_op_parallelism": "operations run at once; 0 lets TensorFlow choose",
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
    if known.model_base_path is None:
        parser.error("--model_base_path=PATH is required: the directory that holds the versions")
    flags = ServerFlags(**vars(known))
    if flags.port and flags.port == flags.rest_api_port:
        parser.error(f"--port and --rest_api_port are both {flags.port}: give them different ports")
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        usage="%(prog)s --model_base_path=PATH [--flag=value ...]",
        description="Development stand-in for tensorflow_model_server: same flags, same gRPC and "
        "REST API. In production use the official tensorflow/serving binary.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(ServerFlags):
        required = field.default is dataclasses.MISSING
        default = "" if required else f" (default: {field.default})"
        parser.add_argument(
            f"--{field.name}",
            default=None if required else field.default,
            type=_VALUE_TYPES.get(field.name, str if field.type in (str, "str") else _count),
            metavar="VALUE",
            help=_HELP[field.name] + default,
        )
    return parser


def _count(text: str) -> int:
    """A whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _port(text: str) -> int:
    port = _count(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a TCP port (0 to 65535)")
    return port


_VALUE_TYPES = {"port": _port, "rest_api_port": _port}


def _unknown_argument(argument: str) -> str:
    name = argument.split("=", 1)[0]
    known = [f"--{field.name}" for field in dataclasses.fields(ServerFlags)]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return f"unknown argument {name}; the nearest flag that does something here is {nearest}"
