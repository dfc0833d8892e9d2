"""Quiet command lines: TensorFlow's start-up lines say nothing to whoever serves or asks."""

import os
import warnings


def quiet_tensorflow() -> None:
    """Call before TensorFlow, TFX or Beam is imported. TF_CPP_MIN_LOG_LEVEL, where set, is left as it is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Google's packages warn of Python 3.10, which stack A needs, on every import: all through this module of
    # google.api_core, which warns of nothing else.
    warnings.filterwarnings(
        "ignore", category=FutureWarning, module=r"google\.api_core\._python_version_support"
    )
