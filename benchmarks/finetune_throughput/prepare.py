"""Writes the JSON Lines that all contenders read, from what the line's own ExampleGen makes."""

import json
import random
import uuid
from pathlib import Path

from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from benchmarks.finetune_throughput.data import TEST, TRAIN
from benchmarks.text_baselines import read_split
from components.medline_example_gen.component import MedlineExampleGen
from components.text_example_gen.component import TextExampleGen
from pipeline.config_loader import load_config
from pipeline.configs import PipelineConfig, local_paths
from pipeline.datasets.fetch import cache_folder
from pipeline.inputs import find_inputs
from pipeline.local_runner import Listener, LocalRunner


def prepare(config_file: Path, listener: Listener) -> Path:
    """Runs the ExampleGen of a config (or finds it in TFX's cache) and writes what it gave.

    Args:
        config_file: a run's settings.
        listener: is told how it goes.

    Returns:
        A folder with train.jsonl (the splits train and eval) and test.jsonl, rows `{"text", "label"}` in a
        random order that is always the same.

    Raises:
        RuntimeError: the component failed.
    """
    root = cache_folder() / "benchmarks"
    config = load_config(PipelineConfig, config_file, [f"root={root}"])
    examples = _generate_examples(config, listener)
    folder = root / config.name / "jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    for file, splits in ((TRAIN, ("train", "eval")), (TEST, ("test",))):
        rows = [row for split in splits for row in zip(*read_split(examples, split), strict=True)]
        rows.sort()  # the order of the records in an ExampleGen's files is Beam's
        random.Random(0).shuffle(rows)
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
        part = folder / f"{file}.part"
        part.write_text("".join(lines), encoding="utf-8")
        part.rename(folder / file)
    return folder


def _generate_examples(config: PipelineConfig, listener: Listener) -> Path:
    data, paths = find_inputs(config).data, local_paths(config)
    if config.data.medline:
        example_gen = MedlineExampleGen(data, config.data.medline)
    else:
        example_gen = TextExampleGen(data, config.data.text)
    runner = LocalRunner(uuid.uuid4().hex, listener)
    runner.run(
        Pipeline(
            pipeline_name=config.name,
            pipeline_root=str(paths["artifacts"]),
            components=[example_gen],
            enable_cache=True,
            metadata_connection_config=sqlite_metadata_connection_config(str(paths["metadata"])),
        )
    )
    if error := runner.runs[-1].error:
        raise RuntimeError(f"{config.name}: the examples could not be read: {error}") from error
    return Path(runner.runs[-1].outputs["examples"][0].uri)
