"""The parts of a server, put together as the flags say."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from serving import config_files, model_config
from serving.batching import Batcher, BatchingParameters
from serving.errors import ServingError
from serving.flags import ServerFlags
from serving.frontend import Frontend, Listening
from serving.metrics import PATH, Metrics
from serving.model_config import ModelConfig
from serving.model_manager import ModelManager
from serving.model_versions import Retries
from serving.rest_api import Limits
from serving.runner import Runner
from serving.servable import Servable
from serving.warmup import warm_up

_log = logging.getLogger("serving.server")

_CORES = len(os.sched_getaffinity(0))


class Parts:
    """Makes what a server consists of.

    Args:
        flags: the command line.

    Raises:
        ServingError: if a file that the flags name can't be used.
    """

    def __init__(self, flags: ServerFlags):
        self._flags = flags
        self._metrics = Metrics()
        # All files are read before any model is loaded: a mistake is told in the first second.
        self._configured = _configured_models(flags)
        self._batching = _batching_parameters(flags)
        self._metrics_path = _metrics_path(flags)
        self._ssl = (
            config_files.read_ssl_config(flags.ssl_config_file) if (flags.ssl_config_file) else None
        )
        self._session_config = _session_config(flags)
        self._manager = ModelManager(
            self._configured,
            self._load,
            Retries(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6),
            flags.file_system_poll_wait_seconds,
            flags.allow_version_labels_for_unavailable_models,
        )

    @contextlib.contextmanager
    def models(self, stop: threading.Event) -> Iterator[ModelManager]:
        """Loads the models, and watches for new versions and a new configuration.

        Raises:
            ServingError: if no version of a model loads.
        """
        ended = threading.Event()
        self._manager.start()
        try:
            self._manager.wait_until_available(stop)
            if self._flags.model_config_file_poll_wait_seconds and self._flags.model_config_file:
                threading.Thread(
                    target=self._poll_configuration, args=[ended], name="config-poll", daemon=True
                ).start()
            yield self._manager
        finally:
            ended.set()
            self._manager.stop()

    @contextlib.contextmanager
    def frontend(self, rest_socket: socket.socket | None) -> Iterator[Frontend]:
        """Listens, for gRPC and on the given socket for REST.

        Raises:
            OSError: if the gRPC port is taken.
        """
        flags = self._flags
        batcher = Batcher(self._batching, self._metrics) if self._batching else None
        runner = Runner(_CORES, flags.max_concurrent_requests, batcher, self._metrics)
        listening = Listening(
            flags.bind_address, flags.port, rest_socket, self._ssl,
            flags.enable_grpc_healthcheck_service, self._metrics_path,
        )  # fmt: skip
        limits = Limits(flags.max_request_bytes, flags.rest_api_timeout_in_ms / 1000)
        frontend = Frontend(self._manager, runner, self._metrics, limits, listening)
        try:
            with frontend:
                yield frontend
        finally:
            runner.stop()

    def _load(self, name: str, version: int, path: Path) -> Servable:
        tags = self._flags.saved_model_tags.split(",")
        servable = Servable(name, version, path, tags, self._session_config)
        if self._flags.enable_model_warmup and (count := warm_up(servable, self._metrics)):
            _log.info("Answered %s warm-up requests of version %s of %s", count, version, name)
        return servable

    def _poll_configuration(self, ended: threading.Event) -> None:
        while not ended.wait(self._flags.model_config_file_poll_wait_seconds):
            try:
                self._manager.reload(_configured_models(self._flags))
            except ServingError as error:  # what is served stays served
                _log.error("Failed to reload %s: %s", self._flags.model_config_file, error)


def _configured_models(flags: ServerFlags) -> list[ModelConfig]:
    if flags.model_config_file:
        return model_config.from_proto(
            config_files.read_model_server_config(flags.model_config_file)
        )
    return [ModelConfig(flags.model_name, Path(flags.model_base_path).absolute())]


def _batching_parameters(flags: ServerFlags) -> BatchingParameters | None:
    if not flags.enable_batching:
        return None
    if not flags.batching_parameters_file:
        return BatchingParameters(num_batch_threads=_CORES)
    proto = config_files.read_batching_parameters(flags.batching_parameters_file)
    return BatchingParameters.from_proto(proto, default_threads=_CORES)


def _metrics_path(flags: ServerFlags) -> str | None:
    if not flags.monitoring_config_file:
        return None
    prometheus = config_files.read_monitoring_config(flags.monitoring_config_file).prometheus_config
    return (prometheus.path or PATH) if prometheus.enable else None


def _session_config(flags: ServerFlags) -> tf.compat.v1.ConfigProto:
    both = flags.tensorflow_session_parallelism
    return tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=flags.tensorflow_intra_op_parallelism or both,
        inter_op_parallelism_threads=flags.tensorflow_inter_op_parallelism or both,
    )
