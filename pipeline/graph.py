"""The graph as text."""

from tfx.dsl.compiler.compiler import Compiler

from pipeline.configs import PipelineConfig, local_paths, short_path
from pipeline.pretrain_config import PretrainConfig
from pipeline.run import local_pipeline


def graph_text(config: PipelineConfig | PretrainConfig) -> str:
    """One block a component, in the order they run: its inputs with their producers, its outputs."""
    compiled = Compiler().compile(local_pipeline(config)[0])
    lines = [f"{config.name}  →  {short_path(local_paths(config)['serving'])}/<version>"]
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
