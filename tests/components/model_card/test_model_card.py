"""The card, on a real small verdict: what is in it, in whose form, and what cannot get in."""

import json
import math

import jsonschema
import pytest
from small_verdict import World, make_verdict
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.data_audit.artifact import DataAudit
from components.data_audit.report import Audit, Overlap, PretrainingOverlap
from components.evaluator.verdict import Verdict
from components.example_gen.quarantine import Counts, Quarantine, write_counts
from components.model_card.artifact import ModelCard
from components.model_card.config import ModelCardConfig, Origin, Owner, Risk
from components.model_card.executor import Executor
from components.near_duplicates.config import NearDuplicateConfig
from models.config import BackboneConfig, ClassifierConfig, TrainingConfig

RUN_ID = "20261125T131032.738Z"
# The parts of the Model Card Toolkit's schema (v0.0.2, model_card.schema.json) that we fill, by its words.
TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def _object(required: list[str], **properties: dict) -> dict:
    return {"type": "object", "properties": properties, "required": required}


def _list(of: dict) -> dict:
    return {"type": "array", "items": of, "minItems": 1}


DESCRIBED = _list(_object(["description"], description=TEXT))
SCHEMA = _object(
    ["schema_version", "model_details", "model_parameters", "quantitative_analysis"],
    schema_version=TEXT,
    model_details=_object(
        ["name", "version"],
        name=TEXT,
        overview=TEXT,
        documentation=TEXT,
        owners=_list(_object(["name"], name=TEXT, contact=TEXT)),
        version=_object(["name", "date"], name=TEXT, date=TEXT | {"format": "date"}),
        licenses=_list(_object(["identifier"], identifier=TEXT)),
        references=_list(_object(["reference"], reference=TEXT)),
        citations=_list(_object(["citation"], citation=TEXT)),
    ),
    model_parameters=_object(
        ["model_architecture", "data", "input_format", "output_format"],
        model_architecture=TEXT,
        data=_list(_object(["name", "description"], name=TEXT, description=TEXT)),
        input_format=TEXT,
        output_format=TEXT,
    ),
    quantitative_analysis=_object(
        ["performance_metrics"],
        performance_metrics=_list(
            _object(
                ["type", "value"],
                type=TEXT,
                value=NUMBER,
                slice=TEXT,
                confidence_interval=_object(
                    ["lower_bound", "upper_bound"], lower_bound=NUMBER, upper_bound=NUMBER
                ),
            )
        ),
    ),
    considerations=_object(
        [],
        users=DESCRIBED,
        use_cases=DESCRIBED,
        limitations=DESCRIBED,
        tradeoffs=DESCRIBED,
        ethical_considerations=_list(
            _object(["name", "mitigation_strategy"], name=TEXT, mitigation_strategy=TEXT)
        ),
    ),
) | {"additionalProperties": False}

AUDIT = Audit(
    examples={"train": 300, "eval": 0, "test": 190},
    near_duplicates=NearDuplicateConfig(),
    distinct_texts=480,
    near_duplicate_pairs=9,
    overlaps=(
        Overlap(split="test", other="train", examples=190, exact=2, duplicated=7, share=7 / 190),
    ),
    label_conflicts=3,
    label_conflict_share=3 / 490,
    cluster_sizes={2: 9},
    pairs=(),
    conflicts=(),
    passed_over=0,
    pretraining=PretrainingOverlap(source="none", test_examples=0, present=0, share=0, keys=()),
    warnings=("3.7 % of the test examples have a duplicate in train",),
)
STATED = ModelCardConfig(
    overview="Tells what went wrong with a laboratory result.",
    owners=(Owner(name="Clinical chemistry", contact="lab@example.org"),),
    license="Apache-2.0",
    references=("https://example.org/notes",),
    citation="Nobody, 2026",
    users=("laboratory staff",),
    use_cases=("sorting of notes",),
    out_of_scope=("diagnosis of patients",),
    limitations=("English only",),
    tradeoffs=("speed for accuracy",),
    sensitive_data=("none",),
    risks=(Risk(name="a note is missed", mitigation_strategy="a person reads the rest"),),
)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture
def write_card(tmp_path):
    """Runs the executor on artifacts as the line makes them."""

    def write(
        verdict: Verdict, stated: ModelCardConfig = STATED, reason: str = ""
    ) -> tuple[dict, str]:
        def artifact(kind: type, name: str):
            made = kind()
            made.uri = str(tmp_path / name)
            (tmp_path / name).mkdir()
            return made

        inputs = {
            "model": artifact(standard_artifacts.Model, "model"),
            "evaluation": artifact(standard_artifacts.ModelEvaluation, "evaluation"),
            "infra_blessing": artifact(standard_artifacts.InfraBlessing, "infra"),
            "examples": artifact(standard_artifacts.Examples, "examples"),
            "quarantine": artifact(Quarantine, "quarantine"),
            "audit": artifact(DataAudit, "audit"),
            "statistics": artifact(standard_artifacts.ExampleStatistics, "statistics"),
            "anomalies": artifact(standard_artifacts.ExampleAnomalies, "anomalies"),
        }
        backbone = BackboneConfig(num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=8)
        model = ClassifierConfig(backbone=backbone, classes=("a|b", "<i>c</i>"), max_length=64)
        (tmp_path / "model/classifier").mkdir()
        (tmp_path / "model/classifier/config.json").write_text(model.model_dump_json())
        trained = {"best_epoch": 2, "epochs": [{}, {}, {}]}
        (tmp_path / "model/training_metrics.json").write_text(json.dumps(trained))
        verdict.write(tmp_path / "evaluation")
        AUDIT.write(str(tmp_path / "audit"))
        statistics = statistics_pb2.DatasetFeatureStatisticsList()
        statistics.datasets.add(num_examples=300)
        inputs["statistics"].split_names = '["train"]'
        (tmp_path / "statistics/Split-train").mkdir()
        path = tmp_path / "statistics/Split-train/FeatureStats.pb"
        path.write_bytes(statistics.SerializeToString())
        inputs["infra_blessing"].set_string_custom_property("reason", reason)
        inputs["infra_blessing"].set_int_custom_property("blessed", 0 if reason else 1)
        inputs["examples"].set_string_custom_property("input_fingerprint", "num_files:2")
        totals = {
            ("read", ""): 500,
            ("kept_by_split", "train"): 300,
            ("kept_by_split", "test"): 190,
        }
        totals[("quarantined_by_reason", "empty_text")] = 10
        write_counts(Counts.of(totals, ["train", "eval", "test"]), str(tmp_path / "quarantine"))
        origin = Origin(
            name="notes",
            data="laboratory_notes",
            weights="minilm_l6",
            weights_hash="a9a7e8b820cf14e1",
            vocabulary_hash="99a5c970d4f79f3c",
            training=TrainingConfig(),
            settings_hash="53d8dee35e526000",
        )
        card = artifact(ModelCard, "card")
        Executor(BaseExecutor.Context(pipeline_run_id=RUN_ID)).Do(
            {key: [value] for key, value in inputs.items()},
            {"model_card": [card]},
            {"origin": origin.model_dump_json(), "stated": stated.model_dump_json()},
        )
        folder = artifact_utils.get_single_uri([card])
        assert sorted(path.name for path in (tmp_path / "card").iterdir()) == [
            "model_card.json",
            "model_card.md",
            "training_statistics.pbtxt",
        ]
        return (
            json.loads((tmp_path / folder / "model_card.json").read_text()),
            (tmp_path / folder / "model_card.md").read_text(),
        )

    return write


def test_the_json_is_the_toolkits_with_every_metric_and_its_interval(world, write_card):
    verdict = make_verdict(world, threshold=0.3)
    card, _ = write_card(verdict)
    jsonschema.validate(card, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert card["schema_version"] == "0.0.2"
    measured = {
        (m["type"], m.get("slice", "")): m
        for m in card["quantitative_analysis"]["performance_metrics"]
    }
    assert len(measured) == sum(len(one.metrics) for one in verdict.slices)
    accuracy = measured["accuracy", ""]
    assert math.isclose(accuracy["value"], world.right.mean())
    bounds = accuracy["confidence_interval"]
    assert bounds["lower_bound"] < accuracy["value"] < bounds["upper_bound"]
    [majority] = card["quantitative_analysis"]["comparisons"]
    assert majority["against"] == "majority class"
    assert card["model_details"]["lineage"]["data"] == "num_files:2"
    assert card["model_details"]["version"]["name"] == RUN_ID
    examples = {data["name"]: data["examples"] for data in card["model_parameters"]["data"]}
    assert examples["laboratory_notes, test split"] == 190
    limits = [one["description"] for one in card["considerations"]["limitations"]]
    assert "Not for: diagnosis of patients" in limits
    assert AUDIT.warnings[0] in limits
    duplicates = card["model_parameters"]["duplicates"]
    assert duplicates == {"test_examples_with_a_duplicate_in_train": 7, "label_conflicts": 3}


def test_the_markdown_has_the_papers_sections_in_its_order(world, write_card):
    _, text = write_card(make_verdict(world, threshold=0.3))
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]
    assert "**Blessed** by the gate" in text
    for said in ("laboratory staff", "English only", "a note is missed: a person reads the rest"):
        assert f"\n- {said}\n" in text
    assert f"| accuracy | {world.right.mean():.3f} (" in text
    assert "53d8dee35e526000" in text
    assert "Of 500 rows read, 10 could not be used" in text
    assert "7 of them have a text that is equal or nearly equal to one of the train split" in text


def test_tables_are_tables(world, write_card):
    """Each row has as many cells as its table's head, with names of the data that have bars in them."""
    _, text = write_card(make_verdict(world, threshold=0.3))
    width = None
    rows = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = line.replace("\\|", "").count("|")
        width = width or cells
        assert cells == width, line
        rows += 1
    assert rows > 20


def test_what_comes_from_data_stays_text(world, write_card):
    stated = ModelCardConfig(overview="<script>x</script> *bold*\n# head")
    _, text = write_card(make_verdict(world, threshold=0.3), stated)
    assert "<script" not in text
    assert "<i>" not in text
    assert "a\\|b" in text
    assert "\n# head" not in text


def test_a_refused_model_has_a_card_that_says_why(world, write_card):
    verdict = make_verdict(world, threshold=0.99)
    card, text = write_card(verdict, reason="3 mismatches in 40 answers")
    gate = card["quantitative_analysis"]["gate"]
    assert not gate["blessed"]
    assert gate["reasons"] == [*verdict.reasons, "serving: 3 mismatches in 40 answers"]
    assert "**Not blessed:**" in text
    assert "asked at least 0.99" in text
    assert "not blessed" in card["model_details"]["documentation"]


def test_what_nobody_stated_is_said_to_be_missing(world, write_card):
    card, text = write_card(make_verdict(world, threshold=0.3), ModelCardConfig())
    jsonschema.validate(card, SCHEMA)
    assert "users" not in card["considerations"]
    assert text.count("_Not stated; `model_card` in the config is the place._") == 4
