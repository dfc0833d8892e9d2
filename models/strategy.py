"""Where training runs: a tf.distribute strategy from one word."""

import functools
import json
import os

import tensorflow as tf

from models.config import StrategyName


class StrategyError(RuntimeError):
    """This machine cannot run the strategy that was asked for."""


def create_strategy(name: StrategyName) -> tf.distribute.Strategy:
    """Makes the strategy; must come before anything else uses TensorFlow in a process of several workers.

    `ParameterServerStrategy` is left out: its workers update weights asynchronously, so that a run could
    neither be repeated nor resumed bit for bit, and all models here fit on one device.

    Args:
        name: "one_device": the first GPU, or the CPU. "mirrored": all GPUs of this machine (or all logical
            CPU devices where there is no GPU). "multi_worker": one process for each worker that the
            environment variable TF_CONFIG names. "tpu": the TPU that TPUClusterResolver finds (environment
            variable TPU_NAME, or the one of a TPU VM). "auto": multi_worker if TF_CONFIG names several
            workers, tpu if TPU_NAME is set, mirrored if there are several GPUs, else one_device.

    Raises:
        StrategyError: what the strategy needs is not here.
    """
    if name == "auto":
        name = _best()
    if name == "one_device":
        gpus = tf.config.list_logical_devices("GPU")
        # The default strategy on a CPU: OneDeviceStrategy would copy each batch once more.
        return tf.distribute.OneDeviceStrategy("/gpu:0") if gpus else tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return _mirrored(tuple(device.name for device in devices))
    if name == "multi_worker":
        return _multi_worker()
    return _tpu()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes; true where there is only one."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict() or not resolver.task_type:
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "chief" or (
        not has_chief and resolver.task_type == "worker" and resolver.task_id == 0
    )


def _workers() -> int:
    """How many training processes TF_CONFIG names."""
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    return sum(len(cluster.get(job, ())) for job in ("chief", "worker"))


def _best() -> StrategyName:
    if _workers() > 1:
        return "multi_worker"
    if os.environ.get("TPU_NAME"):
        return "tpu"
    return "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One a process: the sums of a second one would get the keys of the first one's, and fail with "Shape
    mismatch in the collective instance" (tensorflow/tensorflow#62790).
    """
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _multi_worker() -> tf.distribute.Strategy:
    """One a process too: a second one would restart the server that other workers may be reading from."""
    if not _workers():
        raise StrategyError(
            "strategy multi_worker: the environment variable TF_CONFIG names no worker; it should hold JSON "
            'like {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
        )
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    implementation = "NCCL" if has_gpu else "RING"
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation[implementation]
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except RuntimeError as error:
        raise StrategyError(
            f"strategy multi_worker: {error}. It has to be made before this process uses TensorFlow: start "
            "each worker as a process of its own"
        ) from error


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    except (ValueError, RuntimeError, OSError) as error:  # OSError: not on Google's cloud
        raise StrategyError(
            f"strategy tpu: no TPU was found ({error}); set TPU_NAME, or run on a TPU VM"
        ) from error
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)
