"""The graph as text, and as TFX sees it."""

import pytest
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

from components.beam_executor import BeamExecutor
from pipeline.configs import PipelineConfig
from pipeline.graph import graph_text
from pipeline.run import local_pipeline

BACKBONE = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}
READERS = {
    "text": {"label_column": "label", "splits": {"eval": 0.1, "test": 0.2}},
    "medline": {"label": {"mesh_areas": "areas.tsv", "classes": ["a", "b"]}},
}


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    (tmp_path / "areas.tsv").write_text("descriptor_ui\tareas\n")

    def build(reader="text", **changes):
        groups = {
            "name": "tiny",
            "data": {"path": "data", reader: READERS[reader]},
            "model": {"backbone": BACKBONE, "vocabulary": "vocab.txt"},
            "gate": {"min_accuracy": 0.5},
        }
        return PipelineConfig.model_validate(groups | changes)

    return build


def blocks(text) -> dict[str, list[str]]:
    """The lines under each component's name."""
    head, *parts = text.split("\n\n")
    assert head == "tiny  →  runs/tiny/serving/tiny/<version>"
    return {name: lines for name, *lines in (part.splitlines() for part in parts)}


@pytest.mark.parametrize(
    ("reader", "gen"), [("text", "TextExampleGen"), ("medline", "MedlineExampleGen")]
)
def test_says_what_each_component_reads_and_writes(make, reader, gen):
    found = blocks(graph_text(make(reader)))
    assert set(found) == {
        gen,
        *("StatisticsGen", "ImportSchemaGen", "EarlierData", "DataValidator", "DataAudit"),
        *("Transform", "Trainer", "TextBaselines"),
        *("Baseline", "Evaluator", "ServingValidator", "ModelCard", "Pusher"),
    }
    assert found[gen] == ["  → examples", "  → quarantine"]
    assert found["DataValidator"] == [
        "  ← earlier_anomalies of EarlierData",
        "  ← earlier_statistics of EarlierData",
        f"  ← examples of {gen}",
        f"  ← quarantine of {gen}",
        "  ← schema of ImportSchemaGen",
        "  ← statistics of StatisticsGen",
        "  → anomalies",
    ]
    assert found["EarlierData"] == [
        "  ← ExampleStatistics of StatisticsGen",
        "  ← ExampleAnomalies of any run",
        "  ← ExampleStatistics of any run",
        "  ← ModelBlessing of any run",
    ]
    assert found["DataAudit"] == [f"  ← examples of {gen}", "  → audit"]
    assert found["TextBaselines"] == [f"  ← examples of {gen}", "  → baselines"]
    assert {
        f"  ← examples of {gen}",
        "  ← model of Trainer",
        "  ← baseline_model of Baseline",
    } <= set(found["Evaluator"])
    assert found["Baseline"] == [
        "  ← Model of Trainer",
        "  ← Model of any run",
        "  ← ModelBlessing of any run",
    ]
    assert {
        "  ← infra_blessing of ServingValidator",
        "  ← model of Trainer",
        "  ← model_blessing of Evaluator",
        "  ← model_card of ModelCard",
    } <= set(found["Pusher"])


def test_a_component_comes_after_those_it_reads(make):
    seen: set[str] = set()
    for name, lines in blocks(graph_text(make())).items():
        for line in lines:
            assert set(line.partition(" of ")[2].split(", ")) <= {*seen, "any run", ""}
        seen.add(name)


def test_the_same_config_gives_the_same_graph(compiled, make):
    assert compiled(make()) == compiled(make())


def test_transform_waits_for_the_data_validator(compiled, make):
    assert 'upstream_nodes: "DataValidator"' in compiled(make())["Transform"]


def test_nothing_is_learnt_before_the_audit(compiled, make):
    nodes = compiled(make())
    for node in ("Transform", "TextBaselines"):
        assert 'upstream_nodes: "DataAudit"' in nodes[node]


CHANGES = {
    "training": ({"training": {"optimizer": {"learning_rate": 1e-5}}}, {"Trainer", "ModelCard"}),
    "gate": ({"gate": {"min_accuracy": 0.6}}, {"Evaluator", "ModelCard"}),
    "audit": ({"audit": {"max_label_conflicts": 0.1}}, {"DataAudit"}),
    "limits": ({"validation": {"max_bad_fraction": 0.5}}, {"DataValidator"}),
    "questions": ({"serving_validation": {"num_examples": 3}}, {"ServingValidator"}),
    "length": (
        {"model": {"backbone": BACKBONE, "vocabulary": "vocab.txt", "max_length": 64}},
        {"Transform", "Trainer", "ModelCard"},
    ),
    "card": ({"model_card": {"overview": "Sorts."}}, {"ModelCard"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changes_only_the_components_it_concerns(compiled, make, name):
    """What changes nothing in a component's node is taken from the cache."""
    changes, concerned = CHANGES[name]
    before, after = compiled(make()), compiled(make(**changes))
    assert {node for node in before if before[node] != after[node]} == concerned


def test_another_vocabulary_at_the_same_path_is_noticed(compiled, make, tmp_path):
    before = compiled(make())
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    after = compiled(make())
    assert {node for node in before if before[node] != after[node]} == {
        *("DataValidator", "Transform", "Trainer", "ModelCard")
    }


TUNING = {"max_trials": 2, "search": {"optimizer.learning_rate": {"min": 1e-5, "max": 1e-4}}}


def test_a_tuner_stands_before_the_trainer_if_asked(make):
    found = blocks(graph_text(make(tuning=TUNING)))
    assert found["Tuner"] == [
        "  ← examples of Transform",
        "  ← transform_graph of Transform",
        "  → best_hyperparameters",
        "  → tuner_results",
    ]
    assert "  ← hyperparameters of Tuner" in found["Trainer"]


def test_tuning_changes_only_tuner_and_trainer(compiled, make):
    without, with_tuner = compiled(make()), compiled(make(tuning=TUNING))
    assert set(with_tuner) - set(without) == {"Tuner"}
    # Transform's node also names who comes after it.
    changed = {node for node in without if without[node] != with_tuner[node]}
    assert changed == {"Transform", "Trainer", "ModelCard"}
    more = compiled(make(tuning=TUNING | {"max_trials": 3}))
    assert {node for node in more if more[node] != with_tuner[node]} == {"Tuner", "ModelCard"}


@pytest.mark.parametrize("reader", READERS)
def test_no_component_leaves_the_choice_of_a_runner_to_beam(make, reader):
    """Whose default first tries to download another."""
    pipeline, _ = local_pipeline(make(reader))
    specs = [getattr(component, "executor_spec", None) for component in pipeline.components]
    executors = [spec.executor_class for spec in specs if isinstance(spec, BeamExecutorSpec)]
    assert len(executors) > 4
    assert all(issubclass(executor, BeamExecutor) for executor in executors)
