"""The component inside real pipelines: spans, cache, Kubeflow, several processes."""

import json

import pytest
from tfx.dsl.io import fileio
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import range_config_pb2

from components.example_gen.config import SplitConfig, WindowConfig
from components.example_gen.quarantine import Quarantine, read_counts
from components.medline_example_gen.component import MedlineExampleGen
from components.medline_example_gen.config import LabelRule, MedlineConfig
from components.near_duplicates.config import NearDuplicateConfig
from components.text_example_gen.component import TextExampleGen
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import TextExecutor


@pytest.fixture
def run(tmp_path):
    """Runs a pipeline of one component; gives the uris of its quarantine artifacts so far."""
    store = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))

    def run_once(component):
        line = pipeline.Pipeline(
            pipeline_name="line",
            pipeline_root=str(tmp_path / "root"),
            components=[component],
            enable_cache=True,
            metadata_connection_config=store,
        )
        LocalDagRunner().run(line)
        with metadata.Metadata(store) as handle:
            found = handle.store.get_artifacts_by_type(Quarantine.TYPE_NAME)
            examples = handle.store.get_artifacts_by_type("Examples")
        return [artifact.uri for artifact in found], examples

    return run_once


def test_latest_span_and_version_are_read_unless_told_otherwise(run, tmp_path):
    for name, rows in {"1-0": 1, "2-0": 2, "2-1": 3}.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("text\n" + "one\n" * rows)
    config = TextConfig(pattern="{SPAN}-{VERSION}/*.csv")
    uris, examples = run(TextExampleGen(str(tmp_path / "data"), config))
    assert read_counts(uris[-1]).kept == 3
    assert examples[-1].custom_properties["span"].int_value == 2
    assert examples[-1].custom_properties["version"].int_value == 1

    first = range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=1, end_span_number=1)
    )
    uris, examples = run(TextExampleGen(str(tmp_path / "data"), config, range_config=first))
    assert read_counts(uris[-1]).kept == 1


def test_the_driver_resolves_a_window_and_sees_a_change_in_any_of_its_spans(run, tmp_path):
    def write(span: int, rows: int) -> None:
        (tmp_path / f"data/{span}").mkdir(parents=True, exist_ok=True)
        lines = [f"{span}-{row},text" for row in range(rows)]
        (tmp_path / f"data/{span}/a.csv").write_text("\n".join(["id,text", *lines]) + "\n")

    def read(**spans: int) -> tuple[str, int, str]:
        config = TextConfig(pattern="{SPAN}/*.csv", key_column="id", spans=WindowConfig(**spans))
        uris, examples = run(TextExampleGen(str(tmp_path / "data"), config))
        properties = examples[-1].custom_properties
        kept = read_counts(uris[-1]).kept
        return uris[-1], kept, f"{properties['span'].int_value}: {properties['spans'].string_value}"

    for span in (1, 2, 3):
        write(span, rows=span)
    first = read(window=2)
    assert first[1:] == (5, "3: 2 3")
    assert read(window=2) == first  # cached
    write(1, rows=9)  # not in the window
    assert read(window=2) == first
    write(2, rows=7)
    assert read(window=2)[1:] == (10, "3: 2 3")
    assert read(window=2, last=2)[1:] == (16, "2: 1 2")


def test_a_second_run_is_cached_until_input_or_table_change(run, tmp_path):
    table, data = tmp_path / "areas.tsv", tmp_path / "data"
    table.write_text("descriptor_ui\tareas\nD1\theart\nD2\tlung\n")
    data.mkdir()
    (data / "a.xml").write_text("<PubmedArticleSet></PubmedArticleSet>")
    rule = LabelRule(mesh_areas=str(table), classes=("heart", "lung"))

    def times_run():
        uris, _ = run(MedlineExampleGen(str(data), MedlineConfig(label=rule)))
        return len(set(uris))

    assert times_run() == 1
    assert times_run() == 1
    (data / "b.xml").write_text("<PubmedArticleSet></PubmedArticleSet>")
    assert times_run() == 2
    table.write_text("descriptor_ui\tareas\nD1\theart\nD3\tlung\n")
    assert times_run() == 3


def test_kubeflow_compiles_it_with_its_driver(tmp_path):
    component = TextExampleGen("/data", TextConfig(label_column="label"))
    line = pipeline.Pipeline(
        pipeline_name="line", pipeline_root="gs://bucket/root", components=[component]
    )
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image")
    path = str(tmp_path / "line.json")
    kubeflow_v2_dag_runner.KubeflowV2DagRunner(config, output_filename=path).run(line)
    spec = json.loads(fileio.open(path).read())
    spec = spec.get("pipelineSpec", spec)
    [container] = [e["container"] for e in spec["deploymentSpec"]["executors"].values()]
    assert "components.text_example_gen.executor.TextExecutor" in container["args"]
    assert "preCacheCheck" in container["lifecycle"]
    [definition] = [
        component
        for component in spec["components"].values()
        if "quarantine" in component["outputDefinitions"]["artifacts"]
    ]
    quarantine = definition["outputDefinitions"]["artifacts"]["quarantine"]
    assert Quarantine.TYPE_NAME in quarantine["artifactType"]["instanceSchema"]


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        rows = "".join(f"document {number} {row}\n" for row in range(50))
        (tmp_path / f"{number}.csv").write_text("text\n" + rows + "one,too many\n")
    return tmp_path


def test_examples_come_in_the_same_order_every_time(ingest, folder):
    config = TextConfig(splits=SplitConfig(eval=0.3, test=0.3))
    first, second = (ingest(TextExecutor, config, folder) for _ in range(2))
    assert first.serialized == second.serialized
    assert first.rejected == second.rejected
    rows = [text.split()[1:] for text in (e["text"][0].decode() for e in first.examples["train"])]
    assert rows == sorted(rows, key=lambda row: list(map(int, row)))


@pytest.mark.slow
def test_several_processes_write_the_same_splits(ingest, folder, monkeypatch, pytestconfig):
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    near = NearDuplicateConfig(similarity=0.3)  # the documents of a file are one group
    splits = SplitConfig(eval=0.3, test=0.3, group_near_duplicates=True, near_duplicates=near)
    config = TextConfig(splits=splits)
    alone = ingest(TextExecutor, config, folder)
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    several = ingest(TextExecutor, config, folder, arguments)
    assert several.counts == alone.counts
    assert {name: sorted(found) for name, found in several.serialized.items()} == {
        name: sorted(found) for name, found in alone.serialized.items()
    }
    assert sorted(map(str, several.rejected)) == sorted(map(str, alone.rejected))
