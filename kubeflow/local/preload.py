"""What the steps of a pipeline import."""

import json
import re
from typing import Any

from kubeflow.local.ir import Ir, Task

_TFX = {
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
}
_FUNCTIONS = ("run_fn", "preprocessing_fn", "tuner_fn")  # properties that name a function
_DOTTED = re.compile(r"[a-z_]\w*(\.\w+)+")


def modules_of(pipeline: Ir) -> set[str]:
    """TFX's entry points, and the modules of the executors and functions that the steps name."""
    return _TFX | {name.rpartition(".")[0] for task in pipeline.tasks for name in _names(task)}


def _names(task: Task) -> list[str]:
    args = task.executor.get("container", {}).get("args", [])
    flag = "--executor_class_path"
    names = [args[args.index(flag) + 1]] if flag in args else []
    for key, source in task.spec.get("inputs", {}).get("parameters", {}).items():
        if key in _FUNCTIONS:
            names += [value for value in _texts(source) if _DOTTED.fullmatch(value)]
    return names


def _texts(source: dict[str, Any]) -> list[str]:
    value = source.get("runtimeValue", {})
    text = value.get("constant") or value.get("constantValue", {}).get("stringValue")
    return [json.loads(text) if text and text.startswith('"') else text] if text else []
