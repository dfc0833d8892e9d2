"""Runs a compiled pipeline on this machine, doing what Kubeflow's driver and launcher do around each step."""

import dataclasses
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kubeflow.local import conditions, resolvers
from kubeflow.local.executor_input import (
    Artifacts,
    executor_inputs,
    executor_outputs,
    filled,
)
from kubeflow.local.ir import Ir, Task
from kubeflow.local.processes import TIMED_OUT, Processes
from kubeflow.local.store import CACHED, COMPLETE, FAILED, SKIPPED, Done, Store

RAN, FROM_CACHE, RESUMED, SKIPPED_STEP, RESOLVED = "ran", "cached", "resumed", "skipped", "resolved"
_LOG_TAIL = 30  # lines


class StepFailed(Exception):
    """A step failed, after its retries."""

    def __init__(self, task: str, code: int, log: Path):
        lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        how = "took too long" if code == TIMED_OUT else f"ended with exit code {code}"
        super().__init__(f"{task} {how}; its log {log} ends:\n" + "\n".join(lines))
        self.task = task


@dataclasses.dataclass(frozen=True)
class StepRun:
    """What happened to a step.

    Attributes:
        name: of the step.
        state: "ran", "cached", "resumed" (done by an earlier attempt at this run), "skipped" or "resolved".
        seconds: wall time.
        outputs: RuntimeArtifacts, as JSON, by key.
    """

    name: str
    state: str
    seconds: float
    outputs: Artifacts


class LocalExecutor:
    """Runs the steps one after the other.

    Args:
        ir: the pipeline.
        root: artifacts, logs and the metadata store are below.
        processes: how commands are started.
        ended: is told of each step that is over.
    """

    def __init__(
        self,
        ir: Ir,
        root: Path,
        processes: Processes,
        ended: Callable[[StepRun], None] = lambda _: None,
    ):
        self._ir = ir
        self._root = root
        self._processes = processes
        self._ended = ended

    def run(self, run_id: str, parameters: Mapping[str, Any]) -> dict[str, StepRun]:
        """Runs the pipeline; steps that an earlier call with this run id has completed are left out.

        Args:
            run_id: of the run.
            parameters: of the run, all of them (`kubeflow.local.ir.fill_parameters`).

        Returns:
            The steps in the order they ran.

        Raises:
            StepFailed: a step failed; those after it were not started.
        """
        store = Store(self._root / "metadata.sqlite", self._ir.name, run_id)
        runs: dict[str, StepRun] = {}
        for task in self._ir.tasks:
            began = time.monotonic()
            state, outputs = self._step(task, run_id, parameters, runs, store)
            runs[task.name] = StepRun(task.name, state, time.monotonic() - began, outputs)
            self._ended(runs[task.name])
        return runs

    def _step(
        self,
        task: Task,
        run_id: str,
        parameters: Mapping[str, Any],
        runs: Mapping[str, StepRun],
        store: Store,
    ) -> tuple[str, Artifacts]:
        if any(runs[name].state == SKIPPED_STEP for name in task.upstream):
            store.publish(task.name, "", SKIPPED, {}, {})
            return SKIPPED_STEP, {}
        produced = {name: run.outputs for name, run in runs.items()}
        inputs = executor_inputs(task, parameters, produced, self._ir.is_legacy)
        condition = task.spec.get("triggerPolicy", {}).get("condition")
        if condition and not conditions.holds(condition, inputs):
            store.publish(task.name, "", SKIPPED, {}, {})
            return SKIPPED_STEP, {}
        read = {key: of["artifacts"] for key, of in inputs["artifacts"].items()}
        if "resolver" in task.executor:
            outputs = resolvers.resolve(task.executor["resolver"], inputs, store)
            return RESOLVED, store.publish(task.name, "", COMPLETE, read, outputs)
        return self._container(task, run_id, inputs, read, store)

    def _container(
        self,
        task: Task,
        run_id: str,
        inputs: dict[str, Any],
        read: Artifacts,
        store: Store,
    ) -> tuple[str, Artifacts]:
        for _ in range(task.retries + 1):
            # A name of its own, so that what a killed attempt still writes is nowhere else.
            name = f"{run_id}/{task.name}/{uuid.uuid4().hex[:8]}"
            folder = self._root / name
            executor_input = {"inputs": inputs, "outputs": executor_outputs(task, folder, name)}
            container = task.executor["container"]
            hook = container.get("lifecycle", {}).get("preCacheCheck")
            code = self._call(hook, executor_input, folder, task.timeout) if hook else 0
            if code == 0:
                fingerprint = _fingerprint(task, executor_input)
                if done := self._known(task, fingerprint, store):
                    state = FROM_CACHE if done.state == CACHED else RESUMED
                    return state, done.outputs
                code = self._call(container, executor_input, folder, task.timeout)
            if code == 0:
                outputs = _outputs(executor_input)
                return RAN, store.publish(task.name, fingerprint, COMPLETE, read, outputs)
            store.publish(task.name, "", FAILED, read, {})
        raise StepFailed(task.name, code, folder / "log.txt")

    def _known(self, task: Task, fingerprint: str, store: Store) -> Done | None:
        """The outcome of the same step, of this run or, if the step is cached, of another."""
        if done := store.of_this_run(task.name, fingerprint):
            return Done(COMPLETE, done.outputs)
        found = store.of_any_run(task.name, fingerprint) if task.is_cached else None
        if found is None or not all(
            Path(one["uri"]).exists() for ones in found.outputs.values() for one in ones
        ):
            return None
        store.publish(task.name, fingerprint, CACHED, {}, found.outputs)
        return Done(CACHED, found.outputs)

    def _call(
        self,
        part: Mapping[str, Any],
        executor_input: Mapping[str, Any],
        folder: Path,
        seconds: int | None,
    ) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        words = [*part["command"], *part.get("args", ())]
        return self._processes.run(filled(words, executor_input), folder / "log.txt", seconds)


def _fingerprint(task: Task, executor_input: Mapping[str, Any]) -> str:
    """Of all that decides what the step writes: image, command, parameters, inputs, the driver's findings.

    Input artifacts count by URI and metadata (Kubeflow: by name), since each attempt has URIs of its own.
    """
    container = task.executor["container"]
    inputs = executor_input["inputs"]
    driver_output = Path(executor_input["outputs"]["outputFile"])
    found = json.loads(driver_output.read_text()) if driver_output.exists() else {}
    key = {
        "container": [container[name] for name in ("image", "command", "args")],
        "parameters": inputs.get("parameterValues") or inputs.get("parameters"),
        "driver": found.get("parameterValues"),
        "artifacts": {
            name: [[one["uri"], one["metadata"]] for one in of["artifacts"]]
            for name, of in inputs["artifacts"].items()
        },
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _outputs(executor_input: Mapping[str, Any]) -> Artifacts:
    """The step's artifacts, with what it has written about them into its output file."""
    outputs = executor_input["outputs"]
    written = json.loads(Path(outputs["outputFile"]).read_text()).get("artifacts", {})
    merged: Artifacts = {}
    for key, of in outputs["artifacts"].items():
        [artifact] = of["artifacts"]
        for one in written.get(key, {}).get("artifacts", ()):
            artifact = {
                **artifact,
                "uri": one.get("uri") or artifact["uri"],
                "metadata": {**artifact["metadata"], **one.get("metadata", {})},
            }
        merged[key] = [artifact]
    return merged
