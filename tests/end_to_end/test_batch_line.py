"""The batch line: every row of every kind of file is answered or quarantined, and says where it is from."""

import csv
import json
import random
import time
from pathlib import Path

import keras
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from end_to_end_world import Recorder, start_pipeline
from training_processes import exit_code

from components.prediction_writer import answers
from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier
from pipeline.batch_input import find_batch_input
from pipeline.batch_model import find_batch_model
from pipeline.configs import PipelineConfig
from pipeline.predict_batch import BatchError, outcome, predict_batch
from pipeline.run import new_run_id

KINDS = ("csv", "tsv", "jsonl", "parquet", "txt", "tfrecord")


class Ruler(tf.Module):
    """A model whose answer is told by a text's length; it refuses one word and has no answer to another."""

    def __init__(self, task: str = "single_label"):
        super().__init__()
        self._task = task

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def answer(self, examples):
        features = {
            name: tf.io.FixedLenFeature([], tf.string, "") for name in ("text", "text_pair")
        }
        parsed = tf.io.parse_example(examples, features)
        texts = parsed["text"] + parsed["text_pair"]
        refused = tf.strings.regex_full_match(texts, "(?s).*unheard of.*")
        tf.debugging.assert_none_equal(refused, True, message="this is unheard of")
        length = tf.cast(tf.strings.length(texts, unit="UTF8_CHAR"), tf.float32)
        long = length / (length + 10)
        long = tf.where(tf.strings.regex_full_match(texts, "(?s).*nothing.*"), float("nan"), long)
        probabilities = tf.stack([1 - long, long], axis=1)
        classes = tf.constant(["short", "lang ❤"])
        every = tf.repeat(classes[tf.newaxis], tf.size(long), axis=0)
        if self._task == "regression":
            return {"value": length}
        if self._task == "multi_label":
            return {
                "is_answer": probabilities >= 0.4,
                "probabilities": probabilities,
                "classes": every,
            }
        label = tf.gather(classes, tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities, "classes": every}


def probability(text: str) -> float:
    """Ruler's, that a text is long."""
    return len(text) / (len(text) + 10)


def save(folder: Path, task: str = "single_label") -> Path:
    ruler = Ruler(task)
    tf.saved_model.save(ruler, str(folder), signatures={"serving_default": ruler.answer})
    return folder


def settings(folder: Path, **changes: object) -> dict:
    reader = {"label_column": "label", "key_column": "id", "columns": {"site": "int64"}}
    return {
        "name": "tiny",
        "root": str(folder / "runs"),
        "data": {"path": str(folder), "text": reader | {"splits": {"test_rule": {"modulus": 5}}}},
        "model": {"weights": "minilm_l6"},
        "gate": {"min_accuracy": 0.5},
    } | changes


def make_config(folder: Path, **changes: object) -> PipelineConfig:
    return PipelineConfig.model_validate(settings(folder, **changes))


def ask(config, path, output, listener=None, model=None, **options) -> dict:
    return predict_batch(
        config,
        find_batch_input(config.data, str(path)),
        find_batch_model(config, model),
        output,
        listener or Recorder(),
        new_run_id(),
        **options,
    )


def json_lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def predictions(output: Path) -> list[dict]:
    return [row for file in sorted((output / "predictions").iterdir()) for row in json_lines(file)]


def quarantined(output: Path) -> list[dict]:
    return json_lines(output / "quarantine/rejected.jsonl")


def hostile_lines(count: int) -> tuple[list[bytes], dict[str, str]]:
    """Lines of a JSONL file, and what is to be answered: texts by position."""
    rng = random.Random(1)
    letters = ["a", "é", "é", "心", "😀", "\u202e", "\\", '"', "\u2028", "\t", " "]
    lines, sound = [], {}
    for number in range(1, count + 1):
        text = "".join(rng.choices(letters, k=rng.randint(1, 40))) + "."
        kind = rng.randrange(12)
        if kind == 0:
            line = bytes(rng.choices(range(33, 256), k=9))
        elif kind == 1:
            line = json.dumps({"id": str(number)}).encode()
        elif kind == 2:
            line = json.dumps({"id": str(number), "text": " "}).encode()
        else:
            if kind in (3, 4):
                text += " unheard of" if kind == 3 else " nothing"
            else:
                sound[f"row {number}, line {number}"] = text
            # No label; keys that no rule for splits would take; every key but the first four comes twice.
            key = f"k{number // 2}" if number > 4 else f"first {number}"
            line = json.dumps({"id": key, "text": text}, ensure_ascii=bool(kind % 2)).encode()
        lines.append(line)
    return lines, sound


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with rows.jsonl, and a Ruler pushed as version 10."""
    folder = tmp_path_factory.mktemp("batch")
    lines, _ = hostile_lines(300)
    (folder / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    save(folder / "runs/tiny/serving/tiny/10")
    (folder / "runs/tiny/serving/tiny/9").mkdir()
    return folder


@pytest.fixture(scope="module")
def first(world):
    summary = ask(make_config(world), world / "rows.jsonl", world / "out/first", batch_size=7)
    return summary, world / "out/first"


def test_every_row_is_answered_or_quarantined(first):
    summary, output = first
    lines, sound = hostile_lines(300)
    rows, bad = predictions(output), quarantined(output)
    assert summary["rows"]["in"] == len(lines) == len(rows) + len(bad)
    assert summary["rows"]["out"] == len(rows)
    assert sum(summary["rows"]["quarantined"].values()) == len(bad)
    assert summary["rows"]["filtered"] == {}
    reasons = {row["reason"] for row in bad}
    assert {"empty_text", "missing_field", "model_refused", "no_answer"} <= reasons
    assert {row["position"] for row in rows} == set(sound)
    assert {row["position"] for row in rows + bad} == {
        f"row {number}, line {number}" for number in range(1, len(lines) + 1)
    }
    told = "\n".join(outcome(summary, output))
    assert f"300 rows in = {len(rows)} out + {len(bad)} quarantined (" in told
    assert json.loads((output / "summary.json").read_text()) == json.loads(json.dumps(summary))


def test_answers_are_those_of_the_row_that_has_the_key(first):
    _, output = first
    lines, sound = hostile_lines(300)
    keys = {f"row {number}, line {number}": line for number, line in enumerate(lines, start=1)}
    for row in predictions(output):
        text = sound[row["position"]]
        assert row["source"] == "rows.jsonl"
        assert row["key"] == json.loads(keys[row["position"]])["id"]
        assert row["probabilities"] == pytest.approx(
            {"short": 1 - probability(text), "lang ❤": probability(text)}, abs=1e-6
        )
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
        assert row["probability"] == row["probabilities"][row["label"]]


def test_refused_rows_say_why_and_cost_no_other(first):
    _, output = first
    lines, _ = hostile_lines(300)
    refused = [row for row in quarantined(output) if row["reason"] == "model_refused"]
    asked = [json.loads(line)["text"] for line in lines if b"unheard of" in line]
    assert len(refused) == len(asked) > 5
    assert "this is unheard of" in refused[0]["detail"]
    assert [row["excerpt"] for row in refused] == asked
    assert "the model's answer is nan" in {
        row["detail"].partition(": ")[2]
        for row in quarantined(output)
        if row["reason"] == "no_answer"
    }


def test_repeated_keys_are_kept_and_said(first):
    summary, output = first
    keys = [row["key"] for row in predictions(output)]
    repeated = {key for key in keys if keys.count(key) > 1}
    shared = sum(key in repeated for key in keys)
    assert summary["repeated_keys"] == {"keys": len(repeated), "rows": shared}
    assert f"{shared} rows share {len(repeated)} keys; all are kept" in outcome(summary, output)


def test_the_model_is_named_with_its_hash(world, first):
    summary, _ = first
    model = summary["model"]
    assert (model["version"], len(model["sha256"])) == ("10", 64)
    assert model["path"] == str(world / "runs/tiny/serving/tiny/10")
    other = save(world / "another", "regression")
    assert find_batch_model(make_config(world), str(other)).sha256 != model["sha256"]


def test_another_format_asks_the_model_nothing(world, first):
    _, output = first
    listener = Recorder()
    parquet = world / "out/parquet"
    config = make_config(world)
    ask(config, world / "rows.jsonl", parquet, listener, batch_size=7, file_format="parquet")
    assert listener.states == {
        "TextExampleGen": "cached",
        "BulkInferrer": "cached",
        "PredictionWriter": "ran",
    }
    [file] = (parquet / "predictions").iterdir()
    table = pq.read_table(file)
    assert table.schema.remove_metadata().equals(answers.schema("single_label"))
    assert pa.types.is_map(table.schema.field("probabilities").type)
    rows = [row | {"probabilities": dict(row["probabilities"])} for row in table.to_pylist()]
    assert rows == predictions(output)


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_other_tasks_and_pairs(world, tmp_path, task):
    (tmp_path / "rows.csv").write_text("id,a,b\n1,hel,lo\n2,a somewhat, longer text\n")
    reader = {
        "text_column": "a",
        "second_text_column": "b",
        "key_column": "id",
        "label_column": "c",
    }
    model = str(save(tmp_path / "model", task))
    for file_format in ("jsonl", "parquet"):
        ask(
            make_config(tmp_path, data={"path": str(tmp_path), "text": reader}),
            tmp_path / "rows.csv",
            tmp_path / file_format,
            model=model,
            file_format=file_format,
        )
    rows = predictions(tmp_path / "jsonl")
    if task == "regression":
        assert [row["value"] for row in rows] == [5.0, 22.0]
    else:
        assert [row["labels"] for row in rows] == [["short"], ["lang ❤"]]
        assert rows[0]["probabilities"]["short"] == pytest.approx(2 / 3)
    [file] = (tmp_path / "parquet/predictions").iterdir()
    table = pq.read_table(file)
    assert table.schema.remove_metadata().equals(answers.schema(task))
    assert table.column("key").to_pylist() == ["1", "2"]


def write_kinds(folder: Path) -> dict[str, list[str]]:
    """Two texts in a file of each kind, none of them with a label; some gzipped."""
    texts = {kind: [f'{kind} and, "more"', f"{kind} ünïcödé 😀"] for kind in KINDS}
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        with (folder / f"a.{kind}").open("w", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([["text"], *([t] for t in texts[kind])])
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts["jsonl"]))
    pq.write_table(pa.table({"text": texts["parquet"]}), folder / "a.parquet")
    (folder / "a.txt").write_text("\n".join(texts["txt"]) + "\n")
    with tf.io.TFRecordWriter(str(folder / "a.tfrecord.gz"), "GZIP") as writer:
        for text in texts["tfrecord"]:
            example = tf.train.Example()
            example.features.feature["text"].bytes_list.value.append(text.encode())
            writer.write(example.SerializeToString())
    return texts


def test_every_kind_of_file_on_several_workers_with_the_real_export(tmp_path):
    """The labels, keys and columns that the config names for training are not there, nor needed."""
    keras.utils.set_random_seed(3)
    backbone = BackboneConfig(
        vocabulary_size=7, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    classes = ClassifierConfig(backbone=backbone, classes=("a", "Ω"), max_length=8)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "csv", "and", "more"]
    classifier = TextClassifier(classes, words)
    export_classifier(classifier, str(tmp_path / "runs/tiny/serving/tiny/1"))
    (tmp_path / "in").mkdir()
    texts = write_kinds(tmp_path / "in")
    workers = ("--direct_running_mode=multi_threading", "--direct_num_workers=2")
    data = {"path": str(tmp_path), "text": {"label_column": "label", "classes": ["a", "Ω"]}}
    config = make_config(tmp_path, beam_args=workers, data=data)
    summary = ask(config, tmp_path / "in", tmp_path / "out", batch_size=2)
    assert summary["rows"] == {"in": 12, "out": 12, "quarantined": {}, "filtered": {}}
    rows = sorted(predictions(tmp_path / "out"), key=lambda row: row["key"])
    order = sorted(range(len(KINDS)), key=lambda i: f"a.{KINDS[i]}")
    expected = [text for i in order for text in texts[KINDS[i]]]
    assert [row["source"].removesuffix(".gz") for row in rows] == [
        f"a.{KINDS[i]}" for i in order for _ in range(2)
    ]
    probabilities = classifier.probabilities(expected)
    for row, (p_a, p_omega) in zip(rows, probabilities, strict=True):
        assert row["probabilities"] == pytest.approx({"a": p_a, "Ω": p_omega}, abs=1e-5)


def test_medline_through_a_model_of_tables(world, tmp_path):
    article = """<PubmedArticle><MedlineCitation><PMID>{}</PMID><Article><ArticleTitle>T</ArticleTitle>
        {}</Article></MedlineCitation></PubmedArticle>"""
    abstract = "<Abstract><AbstractText>An account.</AbstractText></Abstract>"
    articles = (
        article.format(11, abstract) + article.format(12, "") + "<PubmedArticle><PMID>13</PMID>"
    )
    (tmp_path / "new.xml").write_text(f"<PubmedArticleSet>{articles}</PubmedArticleSet>")
    summary = ask(make_config(world), tmp_path / "new.xml", tmp_path / "out")
    [row] = predictions(tmp_path / "out")
    assert (row["key"], row["source"]) == ("11", "new.xml")
    assert row["probabilities"]["lang ❤"] == pytest.approx(probability("T An account."), abs=1e-6)
    assert summary["rows"]["in"] == 3
    assert summary["rows"]["filtered"] == {"no_abstract": 1}
    assert sum(summary["rows"]["quarantined"].values()) == 1


def test_no_row_can_be_answered(world, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"id": "1", "text": "unheard of"}\n{"id": \n')
    path, output = tmp_path / "rows.jsonl", tmp_path / "out"
    summary = ask(make_config(world), path, output, file_format="parquet")
    assert (summary["rows"]["in"], summary["rows"]["out"]) == (2, 0)
    assert summary["rows"]["quarantined"] == {"bad_json": 1, "model_refused": 1}
    [file] = (output / "predictions").iterdir()
    assert pq.read_table(file).num_rows == 0


def test_an_output_that_is_there_is_not_touched(world, first):
    _, output = first
    before = sorted(output.rglob("*"))
    with pytest.raises(BatchError, match="exists already: remove it, or give another --output"):
        ask(make_config(world), world / "rows.jsonl", output)
    assert sorted(output.rglob("*")) == before


def test_a_damaged_model_is_an_error(world, tmp_path):
    model = save(tmp_path / "model")
    graph = model / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"StaticRegexFullMatch", b"StaticRegexFullMutch"))
    with pytest.raises(BatchError, match=r"BulkInferrer failed: .*StaticRegexFullMutch"):
        ask(make_config(world), world / "rows.jsonl", tmp_path / "out", model=str(model))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow  # imports TFX in processes of its own
def test_a_killed_run_leaves_no_output_and_can_be_repeated(tmp_path):
    save(tmp_path / "runs/tiny/serving/tiny/1")
    lines = (
        f'{{"id": "{number}", "text": "{"word " * (number % 50)}."}}\n' for number in range(5_000)
    )
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    (tmp_path / "config.yaml").write_text(json.dumps(settings(tmp_path)))
    output, log = tmp_path / "out" / "answers", tmp_path / "log.txt"
    arguments = ["predict-batch", "--config", str(tmp_path / "config.yaml")]
    arguments += ["--input", str(tmp_path / "rows.jsonl"), "--output", str(output)]

    process = start_pipeline(arguments, log)
    while process.is_alive() and not list(
        tmp_path.glob("runs/tiny/batch/artifacts/BulkInferrer/inference_result/*/*")
    ):
        time.sleep(0.01)
    process.kill()
    assert exit_code(process) == -9, log.read_text()
    assert not output.exists()
    leftover = output.parent / ".answers.part" / "predictions"
    leftover.mkdir(parents=True)  # what a run that is killed while it copies leaves
    (leftover / "predictions-00000-of-00009.jsonl").write_text('{"key": "half')

    process = start_pipeline(arguments, log)
    assert exit_code(process) == 0, log.read_text()
    assert "5000 rows in = 5000 out + 0 quarantined" in log.read_text()
    assert [row["key"] for row in predictions(output)] == [str(n) for n in range(5_000)]
    assert [path.name for path in output.parent.iterdir()] == ["answers"]
