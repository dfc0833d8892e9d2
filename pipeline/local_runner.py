"""Runs a pipeline on this machine, one component after the other, telling a listener how it goes."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils, tfx_runner
from tfx.proto.orchestration import pipeline_pb2

from pipeline.executions import output_artifacts

RAN, CACHED, FAILED = "ran", "cached", "failed"


@dataclasses.dataclass(frozen=True)
class NodeRun:
    """What happened to one component.

    Attributes:
        node: the component's id.
        state: "ran", "cached" or "failed".
        seconds: wall time, driver and publisher included.
        outputs: MLMD artifacts by output key; empty if it failed.
        error: of a failed one.
    """

    node: str
    state: str
    seconds: float
    outputs: dict[str, list[metadata_store_pb2.Artifact]]
    error: Exception | None = None


class Listener(Protocol):
    """Is told what runs."""

    def started(self, node: str) -> None:
        """A component begins."""

    def ended(self, run: NodeRun) -> None:
        """A component is done, was found in the cache, or failed."""


class LocalRunner(tfx_runner.IrBasedRunner):
    """TFX's LocalDagRunner, but it says which components ran, for how long, and stops at a failure.

    Args:
        run_id: the run's name in MLMD.
        listener: is told of each component.
    """

    def __init__(self, run_id: str, listener: Listener):
        self._run_id = run_id
        self._listener = listener
        self.runs: list[NodeRun] = []

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: Any = None, **_: Any
    ) -> Sequence[NodeRun]:
        """Runs the compiled pipeline's nodes in their (topological) order.

        Returns:
            One NodeRun each, resolvers left out; if a component fails, the last one holds its error and
            those after it are missing.
        """
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = deployment.metadata_connection_config
        store = metadata.Metadata(getattr(connection, connection.WhichOneof("connection_config")))
        self.runs = []
        for node in pipeline.nodes:
            run = self._run_node(pipeline, node.pipeline_node, deployment, store)
            if run is not None:
                self.runs.append(run)
                self._listener.ended(run)
                if run.state == FAILED:
                    break
        return self.runs

    def _run_node(
        self,
        pipeline: pipeline_pb2.Pipeline,
        node: pipeline_pb2.PipelineNode,
        deployment: Any,
        store: metadata.Metadata,
    ) -> NodeRun | None:
        node_id = node.node_info.id
        executor_spec = runner_utils.extract_executor_spec(deployment, node_id)
        is_component = executor_spec is not None  # resolvers are nodes too, but do no work
        if is_component:
            self._listener.started(node_id)
        began = time.monotonic()
        try:
            info = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=store,
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=executor_spec,
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
            ).launch()
            state, outputs = _published(store, info.execution_id)
        except Exception as error:
            return NodeRun(node_id, FAILED, time.monotonic() - began, {}, error)
        return NodeRun(node_id, state, time.monotonic() - began, outputs) if is_component else None


def _published(
    store: metadata.Metadata, execution_id: int
) -> tuple[str, dict[str, list[metadata_store_pb2.Artifact]]]:
    """State and output artifacts of an execution, as MLMD holds them."""
    with store as handle:
        [execution] = handle.store.get_executions_by_id([execution_id])
        outputs = output_artifacts(handle.store, execution_id)
    is_cached = execution.last_known_state == metadata_store_pb2.Execution.CACHED
    return (CACHED if is_cached else RAN), outputs
