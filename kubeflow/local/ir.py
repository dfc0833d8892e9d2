"""A compiled pipeline, as the local executor sees it."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2


class IrError(Exception):
    """The file is no pipeline that can be run here."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One step; the parts are those of the PipelineSpec, as JSON.

    Attributes:
        name: of the step.
        spec: PipelineTaskSpec.
        component: ComponentSpec.
        executor: ExecutorSpec, with `container` or `resolver`.
        timeout: seconds, None for any time.
    """

    name: str
    spec: dict[str, Any]
    component: dict[str, Any]
    executor: dict[str, Any]
    timeout: int | None

    @property
    def upstream(self) -> set[str]:
        """Steps that must be over before this one starts."""
        artifacts = self.spec.get("inputs", {}).get("artifacts", {}).values()
        producers = {one["taskOutputArtifact"]["producerTask"] for one in artifacts}
        return producers | set(self.spec.get("dependentTasks", ()))

    @property
    def is_cached(self) -> bool:
        """Whether the step may be left out if it ran before."""
        return bool(self.spec.get("cachingOptions", {}).get("enableCache"))

    @property
    def retries(self) -> int:
        """How often it is tried again."""
        return int(self.spec.get("retryPolicy", {}).get("maxRetryCount", 0))


@dataclasses.dataclass(frozen=True)
class Ir:
    """A pipeline.

    Attributes:
        name: of the pipeline.
        root: folder of its artifacts, as compiled.
        schema_version: "2.0.0" or "2.1.0".
        parameters: of the run: definition by name.
        tasks: in an order in which they can run.
    """

    name: str
    root: str
    schema_version: str
    parameters: dict[str, dict[str, Any]]
    tasks: list[Task]

    @property
    def is_legacy(self) -> bool:
        """Whether parameters are typed values (2.0) instead of plain JSON (2.1)."""
        return self.schema_version == "2.0.0"


def read_ir(path: Path) -> Ir:
    """Reads YAML (PipelineSpec and PlatformSpec) or JSON (PipelineJob).

    Raises:
        IrError: the file is neither, holds unknown fields, or has steps that wait for each other.
    """
    try:
        text = path.read_text()
        # Not as YAML, although JSON is: PyYAML takes 1e-05 for text.
        documents = [json.loads(text)] if path.suffix == ".json" else [*yaml.safe_load_all(text)]
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise IrError(f"{path}: {error}") from None
    spec, *others = documents
    spec = spec.get("pipelineSpec", spec)
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise IrError(f"{path}: no PipelineSpec: {error}") from None
    return Ir(
        name=spec["pipelineInfo"]["name"],
        root=spec.get("defaultPipelineRoot", ""),
        schema_version=spec["schemaVersion"],
        parameters=spec["root"].get("inputDefinitions", {}).get("parameters", {}),
        tasks=list(_sorted(_tasks(spec, others[0] if others else {}), path)),
    )


def _tasks(spec: dict[str, Any], platform: dict[str, Any]) -> Iterator[Task]:
    kubernetes = platform.get("platforms", {}).get("kubernetes", {})
    configs = kubernetes.get("deploymentSpec", {}).get("executors", {})
    for name, task in spec["root"]["dag"]["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        label = component["executorLabel"]
        seconds = configs.get(label, {}).get("activeDeadlineSeconds")
        yield Task(
            name,
            task,
            component,
            spec["deploymentSpec"]["executors"][label],
            int(seconds) if seconds else None,
        )


def _sorted(tasks: Iterator[Task], path: Path) -> Iterator[Task]:
    """Topologically, by name where the order is free, so that runs are alike."""
    waiting = {task.name: task for task in tasks}
    done: set[str] = set()
    while waiting:
        ready = sorted(name for name, task in waiting.items() if task.upstream <= done)
        if not ready:
            raise IrError(f"{path}: these steps wait for each other: {', '.join(sorted(waiting))}")
        for name in ready:
            yield waiting.pop(name)
        done.update(ready)


def fill_parameters(ir: Ir, given: dict[str, str]) -> dict[str, Any]:
    """The run's parameters: what is given, as text, and the defaults.

    Raises:
        IrError: a name is unknown, a value is missing or of the wrong type.
    """
    for name in given:
        if name not in ir.parameters:
            known = ", ".join(sorted(ir.parameters)) or "none"
            raise IrError(f"the pipeline has no parameter {name}; there is {known}")
    values = {}
    for name, definition in ir.parameters.items():
        if name not in given and "defaultValue" not in definition:
            raise IrError(f"the parameter {name} has no default and is not given")
        kind = definition.get("parameterType") or definition["type"]
        value = given.get(name, definition.get("defaultValue"))
        values[name] = _converted(name, kind, value)
    return values


def _converted(name: str, kind: str, value: Any) -> Any:
    try:
        if kind in ("NUMBER_INTEGER", "INT"):
            return int(value)
        if kind in ("NUMBER_DOUBLE", "DOUBLE"):
            return float(value)
        return value if isinstance(value, str) else json.dumps(value)
    except ValueError:
        raise IrError(f"the parameter {name} is {value!r}, which is no {kind}") from None
