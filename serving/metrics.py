"""What the server counts, under the names that TensorFlow Serving's Prometheus page has.

Names, labels and buckets: servables/tensorflow/util.cc, saved_model_warmup_util.cc and the
batching session of TensorFlow Serving, where "/tensorflow/serving/x" becomes
":tensorflow:serving:x".
"""

import collections
import threading
from collections.abc import Iterator

import prometheus_client
from prometheus_client.metrics_core import Metric

PATH = "/monitoring/prometheus/metrics"
_PREFIX = ":tensorflow:serving:"


def _exponential(scale: float, growth: float, count: int) -> list[float]:
    return [scale * growth**i for i in range(count)]


_LATENCY_BUCKETS = _exponential(10, 1.8, 33)  # microseconds, to about 20 minutes
_SIZE_BUCKETS = _exponential(1, 2, 15)
_QUEUING_BUCKETS = _exponential(100, 1.2, 52)  # microseconds

# Prometheus' library would add a series with the time of creation to each of the above.
prometheus_client.disable_created_metrics()


class _RequestCount:
    """The library's counters end in `_total`; this one's name does not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()

    def add(self, model: str, status: str) -> None:
        with self._lock:
            self._counts[model, status] += 1

    def collect(self) -> Iterator[Metric]:
        name = _PREFIX + "request_count"
        metric = Metric(name, "The total number of requests.", "unknown")
        with self._lock:
            counts = dict(self._counts)
        for (model, status), count in counts.items():
            metric.add_sample(name, {"model_name": model, "status": status}, count)
        yield metric


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = prometheus_client.CollectorRegistry()
        self._request_count = _RequestCount()
        self._registry.register(self._request_count)
        self._request_latency = self._histogram(
            "request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            ("model_name", "API", "entrypoint"),
            _LATENCY_BUCKETS,
        )
        self._runtime_latency = self._histogram(
            "runtime_latency",
            "Distribution of wall time (in microseconds) for Tensorflow runtime.",
            ("model_name", "API", "runtime"),
            _LATENCY_BUCKETS,
        )
        self._example_counts = self._histogram(
            "request_example_counts",
            "The number of tensorflow.Examples per request.",
            ("model",),
            _SIZE_BUCKETS,
        )
        self._example_count_total = prometheus_client.Counter(
            _PREFIX + "request_example_count",
            "The total number of tensorflow.Examples.",
            ("model",),
            registry=self._registry,
        )
        self._warmup_latency = self._histogram(
            "model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up the model.",
            ("model_path", "status"),
            _LATENCY_BUCKETS,
        )
        self._batching_input = self._histogram(
            "batching_session:input_batch_size", "Rows of a request.", (), _SIZE_BUCKETS
        )
        self._batching_processed = self._histogram(
            "batching_session:processed_batch_size", "Rows of a run.", (), _SIZE_BUCKETS
        )
        self._batching_padding = self._histogram(
            "batching_session:padding_size",
            "Rows added to a batch.",
            ("execution_batch_size",),
            _SIZE_BUCKETS,
        )
        self._batching_queuing = self._histogram(
            "batching_session:queuing_latency",
            "Distribution of wall time spent (in microseconds) in queuing",
            ("thread_pool_name",),
            _QUEUING_BUCKETS,
        )

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return prometheus_client.generate_latest(self._registry)

    def request(self, model: str, status: str) -> None:
        """Counts a request by the name of its status, for instance "OK"."""
        self._request_count.add(model, status)

    def answered(self, model: str, api: str, entrypoint: str, seconds: float) -> None:
        """A request that was answered without an error."""
        self._request_latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def ran(self, model: str, api: str, seconds: float) -> None:
        """A run of a graph, its wait in a batching queue included."""
        self._runtime_latency.labels(model, api, "TF1").observe(seconds * 1e6)

    def examples(self, model: str, count: int) -> None:
        """The tf.Examples of a request."""
        self._example_counts.labels(model).observe(count)
        self._example_count_total.labels(model).inc(count)

    def warmed_up(self, path: str, status: str, seconds: float) -> None:
        """A version's warm-up."""
        self._warmup_latency.labels(path, status).observe(seconds * 1e6)

    def batching_input_size(self, rows: int) -> None:
        """Rows of a request that goes into a batch."""
        self._batching_input.observe(rows)

    def batching_processed_size(self, rows: int, padding: int) -> None:
        """Rows of a batch that is run, and how many of them fill it up."""
        self._batching_processed.observe(rows)
        self._batching_padding.labels(rows).observe(padding)

    def batching_queued(self, seconds: float) -> None:
        """How long a request waited for its batch to run."""
        self._batching_queuing.labels("model_server_batch_threads").observe(seconds * 1e6)

    def _histogram(
        self, name: str, text: str, labels: tuple[str, ...], buckets: list[float]
    ) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(
            _PREFIX + name, text, labels, buckets=buckets, registry=self._registry
        )
