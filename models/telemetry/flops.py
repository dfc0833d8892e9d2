"""How much arithmetic a training needs, and how much its devices could do."""

import os

import tensorflow as tf

from models.config import BackboneConfig
from models.gpt.config import GptConfig

_TERA = 1e12
# Published peaks of one device for dense matrices, in TFLOP/s: (float32, float16, bfloat16). From the Ampere
# generation on TensorFlow multiplies float32 matrices in TF32 unless told otherwise, so that is their float32
# peak; data sheets that give it "with sparsity" are halved. A device is named by a part of the name it gives
# itself, the first that fits counts.
#   NVIDIA data sheets: V100 (2020), T4 (2019), A100 (2022), L4 (2023), H100 (2024), H200 (2024).
#   TPUs: cloud.google.com/tpu/docs, "System architecture"; a v2 or v3 chip is two devices to TensorFlow.
_PEAKS: dict[str, tuple[float | None, float | None, float | None]] = {
    "H200 NVL": (417.5, 835.5, 835.5),
    "H200": (494.5, 989.0, 989.0),
    "H100 NVL": (417.5, 835.5, 835.5),
    "H100 PCIe": (378.0, 756.0, 756.0),
    "H100": (494.5, 989.0, 989.0),
    "A100": (156.0, 312.0, 312.0),
    "L4": (60.0, 121.0, 121.0),
    "T4": (8.1, 65.0, None),
    "V100-PCIE": (14.0, 112.0, None),
    "V100": (15.7, 125.0, None),
    "TPU v2": (None, None, 23.0),
    "TPU v3": (None, None, 61.5),
    "TPU v4": (None, None, 275.0),
    "TPU v5e": (None, None, 197.0),
    "TPU v5p": (None, None, 459.0),
    "TPU v6e": (None, None, 918.0),
}
_COLUMNS = {"float32": 0, "mixed_float16": 1, "mixed_bfloat16": 2}
_TPU_GENERATIONS = {"v5litepod": "v5e"}


def flops_per_token(backbone: BackboneConfig | GptConfig, length: float) -> float:
    """Floating-point operations that training needs for one token, forward and backward.

    6 for each weight that is not an embedding, and 12 · layers · hidden · length for attention (PaLM, arXiv
    2204.02311, appendix B). Heads are left out: a classifier's sees one vector a text.

    Args:
        backbone: the encoder's or decoder's size.
        length: mean number of tokens of a text, special ones included.
    """
    hidden, inner = backbone.hidden_dim, backbone.intermediate_dim
    attention = 4 * (hidden * hidden + hidden)
    feed_forward = 2 * hidden * inner + inner + hidden
    norms = 2 * 2 * hidden
    weights = backbone.num_layers * (attention + feed_forward + norms) + 2 * hidden
    return 6.0 * weights + 12.0 * backbone.num_layers * hidden * length


def device_name() -> str:
    """What the first accelerator calls itself, e.g. "NVIDIA A100-SXM4-40GB" or "TPU v3"; else "CPU"."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    generation = os.environ.get("TPU_ACCELERATOR_TYPE", "").partition("-")[0]
    return f"TPU {_TPU_GENERATIONS.get(generation, generation)}" if generation else "CPU"


def peak_flops(device: str, precision: str) -> float | None:
    """Published peak of one device in operations a second, None if it is not known.

    Args:
        device: see `device_name`.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
    """
    words = device.replace("-", " ").split()
    if "MIG" in words:  # a slice of a card
        return None
    for name, peaks in _PEAKS.items():
        parts = name.replace("-", " ").split()
        if all(part in words for part in parts):
            peak = peaks[_COLUMNS[precision]]
            return None if peak is None else peak * _TERA
    return None
