"""What a step is told: the ExecutorInput, and the placeholders of its command."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kubeflow.local.ir import Task

Artifacts = dict[str, list[dict[str, Any]]]  # RuntimeArtifacts as JSON, by key

_LEGACY_KINDS = {int: "intValue", float: "doubleValue", str: "stringValue"}


def executor_inputs(
    task: Task,
    parameters: Mapping[str, Any],
    produced: Mapping[str, Artifacts],
    is_legacy: bool,
) -> dict[str, Any]:
    """The `inputs` of a step's ExecutorInput.

    Args:
        task: the step.
        parameters: of the run.
        produced: outputs of the steps before, by step and key.
        is_legacy: put parameters where spec 2.0 has them.
    """
    inputs = task.spec.get("inputs", {})
    artifacts = {}
    for key, source in inputs.get("artifacts", {}).items():
        output = source["taskOutputArtifact"]
        found = produced[output["producerTask"]].get(output["outputArtifactKey"], [])
        if found:
            artifacts[key] = {"artifacts": found}
    values = {
        key: _parameter(source, parameters) for key, source in inputs.get("parameters", {}).items()
    }
    if is_legacy:
        typed = {key: {_LEGACY_KINDS[type(value)]: value} for key, value in values.items()}
        return {"artifacts": artifacts, "parameters": typed}
    return {"artifacts": artifacts, "parameterValues": values}


def _parameter(source: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    if "componentInputParameter" in source:
        return parameters[source["componentInputParameter"]]
    if "runtimeValue" not in source:
        raise NotImplementedError(f"a parameter from {', '.join(source)} is not supported here")
    value = source["runtimeValue"]
    if "constant" in value:
        return value["constant"]
    [(kind, constant)] = value["constantValue"].items()
    return int(constant) if kind == "intValue" else constant


def executor_outputs(task: Task, folder: Path, name: str) -> dict[str, Any]:
    """The `outputs` of a step's ExecutorInput.

    Args:
        task: the step.
        folder: of this attempt.
        name: of this attempt, unlike that of any other.
    """
    definitions = task.component.get("outputDefinitions", {}).get("artifacts", {})
    return {
        "artifacts": {
            key: {
                "artifacts": [
                    {
                        "name": f"{name}/{key}",
                        "uri": str(folder / key),
                        "type": definition["artifactType"],
                        "metadata": definition.get("metadata", {}),
                    }
                ]
            }
            for key, definition in definitions.items()
        },
        "outputFile": str(folder / "executor_output.json"),
    }


def filled(words: Sequence[str], executor_input: Mapping[str, Any]) -> list[str]:
    """A command with its placeholders filled, as Kubeflow's launcher does it."""
    replacements = {"{{$}}": json.dumps(executor_input)}
    for side in ("inputs", "outputs"):
        for key, of in executor_input[side].get("artifacts", {}).items():
            uri = of["artifacts"][0]["uri"]
            replacements[f"{{{{$.{side}.artifacts['{key}'].uri}}}}"] = uri
            replacements[f"{{{{$.{side}.artifacts['{key}'].path}}}}"] = uri
    for key, value in executor_input["inputs"].get("parameterValues", {}).items():
        text = value if isinstance(value, str) else json.dumps(value)
        replacements[f"{{{{$.inputs.parameters['{key}']}}}}"] = text
    filled_words = []
    for word in words:
        for placeholder, value in replacements.items():
            word = word.replace(placeholder, value)
        filled_words.append(word)
    return filled_words
