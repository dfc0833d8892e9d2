"""The graph as text."""

from pathlib import Path

from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.configs import PipelineConfig, local_paths
from pipeline.finetune import create_finetune_pipeline
from pipeline.inputs import find_inputs


def graph_text(config: PipelineConfig) -> str:
    """One block a component, in the order they run: its inputs with their producers, its outputs."""
    paths = local_paths(config)
    pipeline = create_finetune_pipeline(
        config,
        find_inputs(config),
        str(paths["artifacts"]),
        str(paths["serving"]),
        sqlite_metadata_connection_config(str(paths["metadata"])),
    )
    compiled = Compiler().compile(pipeline)
    lines = [f"{config.name}  →  {_relative(paths['serving'])}/<version>"]
    for node in (n.pipeline_node for n in compiled.nodes):
        lines.append(f"\n{node.node_info.id}")
        for key, spec in sorted(node.inputs.inputs.items()):
            if spec.HasField("input_graph_ref"):
                continue  # a resolver's: made from hidden inputs, which say where it comes from
            name = spec.channels[0].artifact_query.type.name if spec.hidden else key
            producers = sorted({channel.producer_node_query.id for channel in spec.channels} - {""})
            lines.append(f"  ← {name} of {', '.join(producers) or 'any run'}")
        lines += [f"  → {key}" for key in sorted(node.outputs.outputs)]
    return "\n".join(lines)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
