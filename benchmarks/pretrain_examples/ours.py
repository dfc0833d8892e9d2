"""Runs our component once and prints one line of JSON with the seconds it took.

`python -m benchmarks.pretrain_examples.ours --data FOLDER --form texts --vocabulary FOLDER`
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from tfx.types import artifact_utils, standard_artifacts

from benchmarks.pretrain_examples.work import EVAL, SENTENCES, SHORT_FRACTION, TEXTS, TRAIN
from components.pretrain_example_gen import text
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.executor import Executor
from components.vocabulary_gen.artifact import Vocabulary


def main() -> None:
    """Reads the arguments, prints the line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--form", choices=(TEXTS, SENTENCES), required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.form == SENTENCES:
        text.split_sentences = str.splitlines  # as the peer, which is given its sentences
    config = PretrainExamplesConfig(max_length=arguments.max_length, short_fraction=SHORT_FRACTION)
    data = arguments.data / arguments.form
    print(
        json.dumps(measure(data, arguments.vocabulary, config, arguments.copies, arguments.workers))
    )


def measure(
    data: Path, vocabulary: str, config: PretrainExamplesConfig, copies: int, workers: int
) -> dict[str, Any]:
    """Times the executor, from raw examples to checked rows and report.

    Args:
        data: folder with a folder of raw examples for each split.
        vocabulary: folder with a vocab.txt.
        config: the component's settings.
        copies: how often each file is read.
        workers: worker processes; one works in this process.

    Returns:
        `seconds`, `peak_mb` of this process, and the report's `splits`.
    """
    beam_args = [
        *("--runner=FnApiRunner", "--direct_running_mode=multi_processing"),
        f"--direct_num_workers={workers}",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        examples, rows = standard_artifacts.Examples(), standard_artifacts.Examples()
        words = Vocabulary()
        examples.uri, rows.uri = f"{scratch}/examples", f"{scratch}/rows"
        words.uri = vocabulary
        examples.split_names = artifact_utils.encode_split_names([TRAIN, EVAL])
        _link(data, Path(examples.uri), copies)
        context = Executor.Context(
            beam_pipeline_args=beam_args if workers > 1 else [], tmp_dir=scratch
        )
        start = time.perf_counter()
        Executor(context).Do(
            {"examples": [examples], "vocabulary": [words]},
            {"pretrain_examples": [rows]},
            {"config": config.model_dump_json()},
        )
        seconds = time.perf_counter() - start
        report = json.loads(Path(rows.uri, "report.json").read_text())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak_mb, "splits": report["splits"]}


def _link(source: Path, target: Path, copies: int) -> None:
    for path in source.glob("Split-*/*"):
        for number in range(copies):
            link = target / path.parent.name / f"{number:03}-{path.name}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())


if __name__ == "__main__":
    main()
