"""What a step runs on Kubeflow Pipelines: TFX's entry point, with files in place and parameters set.

Two things stand between TFX's entry point and a Kubeflow Pipelines cluster. Artifacts have URIs of an object
store there, and Kubeflow's launcher copies them from and to local paths before and after the step
(`LocalPathForURI` of kubeflow/pipelines, backend/src/v2/component/launcher_v2.go; Vertex mounts `/gcs`);
TFX would open the URIs themselves. And a parameter of the run can only replace a component's whole property,
while most settings are inside one, in JSON.
"""

import argparse
import json
import os
import sys
from typing import Any

if __name__ == "__main__":
    # As in the containers that the KFP SDK makes itself: its compiler and client are not imported.
    os.environ.setdefault("_KFP_RUNTIME", "true")

from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

_SCHEMES = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}


def local_path(uri: str) -> str:
    """Where the launcher puts an artifact; what is no URI of an object store stays as it is."""
    for scheme, folder in _SCHEMES.items():
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    return uri


def remote_uri(path: str) -> str:
    """The inverse of `local_path`."""
    for scheme, folder in _SCHEMES.items():
        if path.startswith(folder):
            return scheme + path.removeprefix(folder)
    return path


def localize(executor_input: dict[str, Any]) -> dict[str, Any]:
    """An ExecutorInput (as JSON) with local paths in place of the artifacts' URIs."""

    def local(side: dict[str, Any]) -> dict[str, Any]:
        artifacts = {
            key: {"artifacts": [{**one, "uri": local_path(one["uri"])} for one in of["artifacts"]]}
            for key, of in side.get("artifacts", {}).items()
        }
        return {**side, "artifacts": artifacts}

    outputs = local(executor_input["outputs"])
    return {
        "inputs": local(executor_input.get("inputs", {})),
        "outputs": {**outputs, "outputFile": local_path(outputs["outputFile"])},
    }


def set_parameters(inputs: dict[str, Any], integers: set[str]) -> None:
    """Moves each parameter whose name is a dotted path to its place, in place.

    `{"custom_config": '{"training": {"epochs": 3}}', "custom_config.training.epochs": 5}` becomes
    `{"custom_config": '{"training": {"epochs": 5}}'}`.

    Args:
        inputs: the `inputs` of an ExecutorInput as JSON. `parameterValues` (spec 2.1) holds plain JSON,
            `parameters` (2.0) values as `{"intValue": "5"}`.
        integers: names of parameters that are whole numbers; JSON does not tell them from others.
    """
    values = inputs.get("parameterValues", {})
    for name in [name for name in values if "." in name]:
        value = values.pop(name)
        key, path = name.split(".", 1)
        values[key] = _replaced(values[key], path, int(value) if name in integers else value)
    legacy = inputs.get("parameters", {})
    for name in [name for name in legacy if "." in name]:
        [(kind, text)] = legacy.pop(name).items()
        value = int(text) if kind == "intValue" else text
        key, path = name.split(".", 1)
        legacy[key] = {"stringValue": _replaced(legacy[key]["stringValue"], path, value)}


def _replaced(text: str, path: str, value: Any) -> str:
    """JSON with the value at a dotted path replaced."""
    content = json.loads(text)
    group = content
    *groups, last = path.split(".")
    for name in groups:
        group = group[name]
    if last not in group:
        raise KeyError(f"there is no {path} in the property that a parameter of the run should set")
    group[last] = value
    return json.dumps(content)


def _restore_uris(output_file: str) -> None:
    """Puts URIs back in place of local paths in what TFX's entry point has written."""
    with open(output_file) as file:
        output = json.load(file)
    for of in output.get("artifacts", {}).values():
        for artifact in of["artifacts"]:
            artifact["uri"] = remote_uri(artifact["uri"])
    with open(output_file, "w") as file:
        json.dump(output, file)


def output_suffix() -> str:
    """Of the output file, which only the first of several training workers writes under its own name."""
    config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    if "task" not in config:
        return ""
    first = ("chief" if "chief" in config["cluster"] else "worker", 0)  # as models.strategy has it
    task = (config["task"]["type"], int(config["task"]["index"]))
    return "" if task == first else f".{task[0]}-{task[1]}"


def main(arguments: list[str]) -> None:
    """Runs one executor; arguments are those of `kubeflow_v2_run_executor`, and Beam's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args")
    args, beam_args = parser.parse_known_args(arguments)
    specs = json.loads(args.json_serialized_inputs_spec_args or "{}").get("parameters", {})
    integers = {
        name for name, spec in specs.items() if spec.get("parameterType") == "NUMBER_INTEGER"
    }
    executor_input = localize(json.loads(args.json_serialized_invocation_args))
    set_parameters(executor_input["inputs"], integers)
    for of in executor_input["outputs"]["artifacts"].values():
        for artifact in of["artifacts"]:
            os.makedirs(
                artifact["uri"], exist_ok=True
            )  # executors expect it, the launcher does not
    executor_input["outputs"]["outputFile"] += output_suffix()
    args.json_serialized_invocation_args = json.dumps(executor_input)
    kubeflow_v2_run_executor.main((args, beam_args))
    _restore_uris(executor_input["outputs"]["outputFile"])


if __name__ == "__main__":
    main(sys.argv[1:])
