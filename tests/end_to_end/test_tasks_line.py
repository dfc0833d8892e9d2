"""Whole lines whose labels are several classes of a pair of texts, or a number."""

import csv
import json
import random
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from end_to_end_world import FILLER, TOPICS, Recorder, make_config, settings
from typer.testing import CliRunner

from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Verdict
from models.classifier import TextClassifier
from pipeline.configs import PipelineConfig
from pipeline.predict import PredictError, predict
from pipeline.run import new_run_id, run
from serving.client import Client, Labels
from serving.client import app as client_app
from serving.flags import ServerFlags
from serving.process import free_port
from serving.server import serving

pytestmark = pytest.mark.slow


def write_rows(folder: Path, rows: list[dict]) -> Path:
    folder.mkdir()
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def pair_rows(count: int) -> list[dict]:
    """A question and an answer; the classes are the topics of either, perhaps none."""
    rng = random.Random(3)
    rows = []
    for number in range(count):
        texts, found = [], set()
        for _ in range(2):
            topic = rng.choice([*TOPICS, None])
            words = rng.choices(FILLER, k=rng.randint(3, 9))
            if topic:
                words += rng.choices(TOPICS[topic], k=2)
                found.add(topic)
            rng.shuffle(words)
            texts.append(" ".join(words))
        labels = rng.sample(sorted(found), len(found))
        row = {"id": number, "question": texts[0], "answer": texts[1], "topics": "|".join(labels)}
        rows.append(row | {"site": f"s{number % 2}"})
    rows[7]["topics"] = "heart|heart"
    rows[8]["answer"] = " "
    return rows


@pytest.fixture(scope="module")
def pairs_config(world) -> PipelineConfig:
    folder = write_rows(world / "pairs", pair_rows(402))
    columns = {"site": "bytes"}
    text = {
        "pattern": "*.csv",
        "text_column": "question",
        "second_text_column": "answer",
        "label_column": "topics",
        "label_type": "classes",
        "label_separator": "|",
        "key_column": "id",
        "columns": columns,
        "splits": {"eval": 0.15, "test": 0.25},
    }
    gate = {
        "min": {"micro_f1": 0.8, "recall:lung": 0.7},
        "max": {"hamming_loss": 0.2},
        "slices": ["label", "site"],
        "fairness": {"attributes": {"site": {"feature": "site"}}, "min_examples": 5},
    }
    data = {"path": str(folder), "text": text}
    return make_config(
        world, name="pairs", data=data, gate=gate, training=TRAINING, validation=LENIENT
    )


TRAINING = {"epochs": 6, "optimizer": {"learning_rate": 1e-2}}
LENIENT = {"max_label_skew": 0.5}


@pytest.fixture(scope="module")
def pairs(pairs_config):
    return run(pairs_config, new_run_id(), Recorder())


def classifier_of(summary: dict) -> TextClassifier:
    [model] = summary["artifacts"]["Trainer.model"]
    return TextClassifier.load(Path(model, "classifier"))


def test_pairs_with_several_classes_are_learned_and_pushed(pairs):
    assert pairs["status"] == "succeeded", pairs["error"] or pairs["blessing"]
    assert pairs["rows"]["quarantined_by_reason"] == {"duplicate_class": 1, "empty_text": 1}
    assert pairs["rows"]["kept"] == 400
    assert pairs["metrics"]["test"]["micro_f1"] > 0.85
    assert pairs["metrics"]["test"]["accuracy"] > 0.6  # chance is about 0.1
    classifier = classifier_of(pairs)
    assert set(classifier.classes) == set(TOPICS)
    assert classifier.config.task == "multi_label"
    assert classifier.config.pairs


def test_the_verdict_is_of_several_classes(pairs):
    [folder] = pairs["artifacts"]["Evaluator.evaluation"]
    verdict = Verdict.read(folder)
    assert verdict.task == "multi_label"
    assert {one.against for one in verdict.comparisons} == {"TF-IDF + linear SVM", "majority class"}
    assert {one.slice for one in verdict.slices} >= {"label=heart", "site=s1"}
    assert verdict.fairness is not None
    assert "\n" in verdict.worst[0].text  # both texts
    predictions = Predictions.read(folder)
    assert predictions.labels.sum(1).min() == 0
    decided = predictions.scores >= 0.5
    precision = (decided & predictions.labels).sum() / decided.sum()
    metrics = dict(tfma.load_eval_result(folder).slicing_metrics)[()][""]
    [pooled] = [found for name, found in metrics[""].items() if name.endswith("precision")]
    assert pooled["doubleValue"] == pytest.approx(precision, abs=1e-6)


def test_training_graph_export_and_examples_give_the_same_answers(pairs, pairs_config):
    rows = [row for row in pair_rows(20) if row["answer"].strip()]
    questions, answers = ([row[name] for row in rows] for name in ("question", "answer"))
    questions += ["", "heart " * 90, "Ünïcödé lung"]
    answers += ["cough", "skin " * 90, ""]
    classifier = classifier_of(pairs)
    expected = classifier.answers(questions, answers)
    model = tf.saved_model.load(pairs["pushed"]["path"])
    examples = []
    for question, answer in zip(questions, answers, strict=True):
        example = tf.train.Example()
        for name, text in (("text", question), ("text_pair", answer)):
            example.features.feature[name].bytes_list.value.append(text.encode())
        example.features.feature["label"].bytes_list.value.extend([b"lung", b"unheard of"])
        examples.append(example.SerializeToString())
    examples = tf.constant(examples)
    served = model.signatures["serving_default"](examples=examples)
    np.testing.assert_allclose(served["probabilities"], expected["probabilities"], atol=1e-5)
    transformed = model.signatures["transform_features"](examples=examples)
    ids = classifier.tokenizer(tf.constant(questions), tf.constant(answers)).to_tensor()
    tf.debugging.assert_equal(transformed["token_ids"], tf.cast(ids, tf.int64))
    lung = [name == "lung" for name in classifier.classes]
    assert transformed["has_class"].numpy().tolist() == [lung] * len(questions)

    told = predict(pairs_config, questions, answers)
    with pytest.raises(PredictError, match="reads pairs of texts"):
        predict(pairs_config, questions)
    base = Path(pairs["pushed"]["path"]).parent
    port = free_port()
    flags = ServerFlags(str(base), "pairs", port=0, rest_api_port=port)
    with (
        serving(flags, threading.Event()) as frontend,
        Client(f"127.0.0.1:{port}", "pairs", "rest") as it,
    ):
        asked = it.predict(questions, answers)
        target = f"127.0.0.1:{frontend.grpc_port}"
        command = ["--target", target, "--model", "pairs", "--pairs", "--jsonl"]
        shown = CliRunner().invoke(client_app, [*command, questions[0], answers[0]])
    assert json.loads(shown.stdout)["labels"] == asked[0].labels
    for row, (one, other) in enumerate(zip(told, asked, strict=True)):
        decided = expected["is_answer"][row]
        labels = [name for name, is_one in zip(classifier.classes, decided, strict=True) if is_one]
        assert one["labels"] == labels
        assert isinstance(other, Labels)
        assert (other.labels, other.text_pair) == (labels, answers[row])


def test_report_and_card_tell_of_several_classes(pairs, world):
    report = (world / "runs/pairs" / pairs["run_id"] / "report.html").read_text()
    assert "<strong>Yes.</strong>" in report
    assert "Not shown" not in report
    assert "micro F1" in report
    card = Path(pairs["pushed"]["path"], "assets.extra", "model_card.md").read_text()
    assert "Two texts, of which 64 tokens together" in card
    assert "whether it is at least 1/2" in card


def number_rows(count: int) -> list[dict]:
    """The number is told by how many of eight words are severe."""
    rng = random.Random(5)
    rows = []
    for number in range(count):
        severe = rng.randint(0, 8)
        words = ["severe"] * severe + rng.choices(["the", "patient", "mild"], k=8 - severe)
        rng.shuffle(words)
        text = " ".join([*words, *rng.choices(FILLER[:3], k=3)])
        rows.append({"id": number, "text": text, "score": 500 + 10 * severe + rng.gauss(0, 1)})
    rows[3]["score"], rows[4]["score"], rows[5]["score"] = "high", "nan", ""
    return rows


@pytest.fixture(scope="module")
def numbers(world):
    text = {
        "pattern": "*.csv",
        "label_column": "score",
        "label_type": "number",
        "key_column": "id",
        "splits": {"eval": 0.15, "test": 0.25},
    }
    data = {"path": str(write_rows(world / "numbers", number_rows(303))), "text": text}
    against = {"rule": "not_worse", "margin": 20}
    gate = {"max": {"mae": 12}, "min": {"r2": 0.5}, "against_svm": against}
    changes = {"data": data, "gate": gate, "training": TRAINING, "validation": LENIENT}
    config = make_config(world, name="numbers", **changes)
    return run(config, new_run_id(), Recorder()), config


def test_numbers_are_learned_and_pushed_in_their_own_units(numbers):
    summary, config = numbers
    assert summary["status"] == "succeeded", summary["error"] or summary["blessing"]
    assert summary["rows"]["quarantined_by_reason"] == {
        "not_a_number": 1,
        "not_finite": 1,
        "empty_label": 1,
    }
    assert summary["metrics"]["test"]["mae"] < 12
    assert summary["metrics"]["eval"]["mae"] < 12  # of the training loop, in the same units
    texts = ["the " * 11, "severe " * 11]
    low, high = predict(config, texts)
    assert 470 < low["value"] < high["value"] < 630
    assert classifier_of(summary).answers(texts)["value"] == pytest.approx(
        [low["value"], high["value"]], rel=1e-6
    )
    [blessing] = summary["artifacts"]["ServingValidator.blessing"]
    asked = json.loads(Path(blessing, "validation.json").read_text())["comparisons"]
    assert {one["path"].split()[0] for one in asked} == {"gRPC", "REST"}
    measured = [
        one for one in asked if "transform_features" not in one["path"]
    ]  # ids are equal or not
    assert all(one["largest_difference"] < 1e-2 for one in measured)


def test_what_is_said_of_numbers(numbers, world):
    summary, _ = numbers
    [folder] = summary["artifacts"]["Evaluator.evaluation"]
    verdict = Verdict.read(folder)
    assert verdict.task == "regression"
    assert {one.against for one in verdict.comparisons} == {
        "TF-IDF + ridge",
        "mean of the train split",
    }
    assert {one.slice.partition("=")[0] for one in verdict.slices} == {"", "length_band"}
    predictions = Predictions.read(folder)
    metrics = tfma.load_eval_result(folder).get_metrics_for_slice()
    error = np.abs(predictions.scores[:, 0] - predictions.labels).mean()
    assert metrics["mean_absolute_error"]["doubleValue"] == pytest.approx(error, rel=1e-5)
    assert float(verdict.worst[0].label) > 400
    report = (world / "runs/numbers" / summary["run_id"] / "report.html").read_text()
    assert "standard deviation" in report
    assert "Not shown" not in report
    card = json.loads(
        Path(summary["pushed"]["path"], "assets.extra", "model_card.json").read_text()
    )
    assert (
        card["model_parameters"]["output_format"] == "A number in the units of the training labels"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gate": {"min_accuracy": 0.5}}, "'accuracy' is not measured where labels are numbers"),
        (
            {"gate": {"max": {"mae": 1}, "fairness": {"attributes": {"a": {"rule": "sex"}}}}},
            "fairness",
        ),
        ({"training": {"balance_classes": True}}, "training.balance_classes is about classes"),
    ],
)
def test_what_numbers_do_not_have_is_refused(world, change, message):
    values = settings(world, gate={"max": {"mae": 1}})
    values["data"]["text"]["label_type"] = "number"
    with pytest.raises(ValueError, match=message):
        PipelineConfig.model_validate(values | change)
