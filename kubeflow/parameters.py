"""Which settings each run of a compiled pipeline may set anew.

TFX's RuntimeParameter stands for a whole property of a component (`componentInputParameter` in the IR), but
most of our settings are inside one, as JSON. A setting `training.epochs` therefore becomes an additional
parameter `custom_config.training.epochs` of the Trainer, which `pipeline.container` moves to its place when
the step starts.
"""

import json
from typing import Any

from pipeline.config_loader import ConfigError

_EXAMPLE_GENS = ("TextExampleGen", "MedlineExampleGen")
_TARGETS: dict[str, tuple[tuple[str, str], ...]] = {
    # key of the config, or what it begins with: components and their properties
    "data": tuple((name, "input_base") for name in _EXAMPLE_GENS),
    "training.": (
        ("Trainer", "custom_config.training."),
        ("LanguageModelEvaluator", "settings.training."),
        ("ModelCard", "origin.training."),
    ),
    "gate.": (("Evaluator", "gate."), ("LanguageModelEvaluator", "gate.")),
    "validation.": (("DataValidator", "validation."),),
    "serving_validation.": (("ServingValidator", ""),),
}
_TYPES = {int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE", str: "STRING"}
_LEGACY_TYPES = {int: "INT", float: "DOUBLE", str: "STRING"}


def name_of(key: str) -> str:
    """The run's parameter for a key of the config: `training.epochs` → `training_epochs`."""
    return key.replace(".", "_")


def expose(spec: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Makes parameters of the run out of settings, with what was compiled as their defaults, in place.

    Args:
        spec: a PipelineSpec as JSON.
        keys: of the config.

    Raises:
        pipeline.config_loader.ConfigError: a setting decides about the graph, or is not one number or text.
    """
    for key in keys:
        targets = [
            (step, path) for step, path in _targets(key) if step in spec["root"]["dag"]["tasks"]
        ]
        if not targets:
            raise ConfigError(
                [
                    f"kubeflow.parameters: {key} cannot be set for each run; what can is "
                    f"{', '.join(name + '…' * name.endswith('.') for name in _TARGETS)}"
                ]
            )
        for step, path in targets:
            _expose(spec, key, step, path)


def _targets(key: str) -> list[tuple[str, str]]:
    return [
        (step, path + key.removeprefix(start)) if start.endswith(".") else (step, path)
        for start, places in _TARGETS.items()
        for step, path in places
        if key == start or (start.endswith(".") and key.startswith(start))
    ]


def _expose(spec: dict[str, Any], key: str, step: str, path: str) -> None:
    task = spec["root"]["dag"]["tasks"][step]
    inputs = task["inputs"]["parameters"]
    definitions = spec["components"][task["componentRef"]["name"]]["inputDefinitions"]["parameters"]
    is_legacy = spec["schemaVersion"] == "2.0.0"
    value = _value(inputs, path)
    if type(value) not in _TYPES:
        raise ConfigError(
            [f"kubeflow.parameters: {key} is {value!r}; only a number or a text can be set"]
        )
    if is_legacy:
        definition: dict[str, Any] = {"type": _LEGACY_TYPES[type(value)]}
    else:
        definition = {"parameterType": _TYPES[type(value)]}
    definitions[path] = definition
    inputs[path] = {"componentInputParameter": name_of(key)}
    root = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    root[name_of(key)] = {**definition, "defaultValue": value}


def _value(inputs: dict[str, Any], path: str) -> Any:
    """What the compiler has put at a property, or at a place inside one."""
    key, _, inner = path.partition(".")
    runtime = inputs[key]["runtimeValue"]
    if "constant" in runtime:
        value = runtime["constant"]
    else:
        [(kind, value)] = runtime["constantValue"].items()
        value = int(value) if kind == "intValue" else value
    if not inner:
        return value
    value = json.loads(value)
    for name in inner.split("."):
        if name not in value:
            raise ConfigError([f"kubeflow.parameters: {path} is no setting of this line"])
        value = value[name]
    return value
