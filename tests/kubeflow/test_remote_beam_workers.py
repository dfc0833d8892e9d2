"""Beam components on workers that are other processes and have our code only by `--setup_file`."""

import gzip
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from end_to_end_world import Recorder
from tfx.dsl.compiler.compiler import Compiler

from components.medline_example_gen.fragments import cut
from pipeline.config_loader import load_config
from pipeline.configs import PipelineConfig
from pipeline.datasets.fetch import fetch
from pipeline.local_runner import LocalRunner
from pipeline.pretrain_config import PretrainConfig
from pipeline.run import local_pipeline, new_run_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
STATISTICS = "FeatureStats.pb"
RECORDS = 800  # of each file
FINETUNE = (
    "model.weights=null",
    "model.backbone={num_layers: 1, num_heads: 2, hidden_dim: 16, intermediate_dim: 16}",
    "data.medline.label.classes=[Infections, Neoplasms]",
    "validation={max_label_skew: 1}",
)
PRETRAIN = ("vocabulary.size=1000", "examples.documents_per_shard=300")


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """The first records of each file of the PubMed sample."""
    folder = tmp_path_factory.mktemp("pubmed")
    for path in sorted(fetch("pubmed_sample").glob("*.xml.gz")):
        with gzip.open(path) as stream:
            found = (piece.content for piece in cut(stream, 1 << 24))
            pieces = [next(found) for _ in range(RECORDS)]
        content = b"<PubmedArticleSet>" + b"\n".join(pieces) + b"</PubmedArticleSet>"
        (folder / path.name).write_bytes(gzip.compress(content, 1))
    return folder


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """The options of a runner with such workers, and the folder that they install to."""
    folder = tmp_path_factory.mktemp("workers")
    pool = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("beam_worker_pool.py")), str(folder)],
        cwd=folder,
    )
    service = LocalJobServicer()
    port = service.start_grpc_server()
    try:
        while not (folder / "port").exists():
            assert pool.poll() is None
            time.sleep(0.1)
        yield (
            folder,
            [
                "--runner=PortableRunner",
                f"--job_endpoint=localhost:{port}",
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{(folder / 'port').read_text()}",
                "--direct_num_workers=2",
                f"--setup_file={ROOT}/setup.py",
            ],
        )
    finally:
        service.stop()
        pool.terminate()
        pool.wait()


def run_until(config: PipelineConfig | PretrainConfig, last: str) -> dict[str, Path]:
    """Runs a line's first components; the artifacts' folders by component and output."""
    graph = Compiler().compile(local_pipeline(config)[0])
    names = [node.pipeline_node.node_info.id for node in graph.nodes]
    del graph.nodes[names.index(last) + 1 :]
    runner = LocalRunner(new_run_id(), Recorder())
    runner.run_with_ir(graph)
    assert runner.runs[-1].error is None, runner.runs[-1].error
    assert runner.runs[-1].node == last
    return {
        f"{run.node}.{key}": Path(artifact.uri)
        for run in runner.runs
        for key, [artifact] in run.outputs.items()
    }


def both_ways(kind: type, name: str, changes: tuple[str, ...], last: str, beam_args, folder: Path):
    """What a line's first components make in this process, and on the workers."""
    path = ROOT / "configs" / f"{name}.yaml"
    for way, args in (("here", []), ("there", beam_args)):
        places = (f"root={folder / way}", f"beam_args={json.dumps(args)}")
        yield run_until(load_config(kind, path, [*changes, *places]), last)


def rows(split: Path) -> Counter[bytes]:
    """The examples, serialized in one way: the order of a map's keys is left to each process."""
    files = sorted(map(str, split.iterdir()))
    examples = map(
        tf.train.Example.FromString, tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    )
    return Counter(example.SerializeToString(deterministic=True) for example in examples)


def files(folder: Path) -> set[Path]:
    """Of our packages, code and data alike; deployments are for people, and no part of one."""
    return {
        path.relative_to(folder)
        for package in ("components", "models", "pipeline", "serving")
        for path in (folder / package).rglob("*")
        if path.is_file() and not {"__pycache__", "deploy"} & set(path.parts)
    }


def same_rows(here: Path, there: Path) -> int:
    """Asserts that all splits have the same rows, in whatever order; how many there are."""
    splits = sorted(path.name for path in here.glob("Split-*"))
    assert splits == sorted(path.name for path in there.glob("Split-*"))
    found = {split: rows(here / split) for split in splits}
    assert found == {split: rows(there / split) for split in splits}
    return sum(counts.total() for counts in found.values())


def test_fine_tuning_data_is_the_same(records, remote, tmp_path):
    workers, beam_args = remote
    changes = (
        *FINETUNE,
        "data.dataset=null",
        f"data.path={records}",
        f"model.vocabulary={fetch('minilm_l6') / 'vocab.txt'}",
    )
    here, there = both_ways(
        PipelineConfig, "pubmed_disease_area_demo", changes, "Transform", beam_args, tmp_path
    )
    assert same_rows(here["MedlineExampleGen.examples"], there["MedlineExampleGen.examples"]) > 20
    counts = [way["MedlineExampleGen.quarantine"] / "counts.json" for way in (here, there)]
    assert counts[0].read_text() == counts[1].read_text()
    for split in ("train", "eval", "test"):
        found = [way["StatisticsGen.statistics"] / f"Split-{split}" for way in (here, there)]
        assert (found[0] / STATISTICS).read_bytes() == (found[1] / STATISTICS).read_bytes()
    audits = [way["DataAudit.audit"] / "audit.json" for way in (here, there)]
    assert audits[0].read_text() == audits[1].read_text()
    drifts = [way["DataValidator.anomalies"] / "drift.json" for way in (here, there)]
    assert drifts[0].read_text() == drifts[1].read_text()
    same_rows(here["Transform.transformed_examples"], there["Transform.transformed_examples"])
    labels = [
        tft.TFTransformOutput(str(way["Transform.transform_graph"])).vocabulary_by_name("label")
        for way in (here, there)
    ]
    np.testing.assert_array_equal(*labels)
    [installed] = workers.glob("installed-*")
    assert files(installed) >= files(ROOT)


def test_pretraining_data_is_the_same(records, remote, tmp_path):
    changes = (*PRETRAIN, "data.dataset=null", f"data.path={records}")
    here, there = both_ways(
        PretrainConfig, "pubmed_pretrain", changes, "PretrainExampleGen", remote[1], tmp_path
    )
    vocabularies = [way["VocabularyGen.vocabulary"] for way in (here, there)]
    for name in ("vocab.txt", "report.json"):
        assert (vocabularies[0] / name).read_text() == (vocabularies[1] / name).read_text()
    made = [way["PretrainExampleGen.pretrain_examples"] for way in (here, there)]
    assert same_rows(*made) > 20
    assert (made[0] / "report.json").read_text() == (made[1] / "report.json").read_text()
