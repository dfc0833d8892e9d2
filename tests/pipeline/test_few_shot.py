"""Few-shot runs: a tiny GPT with random weights, pushed as the pretraining line does."""

import collections
import json

import numpy as np
import pydantic
import pytest
import tiny_gpt
import yaml
from scipy import special, stats
from typer.testing import CliRunner

from models.gpt.few_shot import content_free
from models.language_model import Gpt
from pipeline import few_shot
from pipeline.__main__ import app
from pipeline.commands.options import EXIT_CONFIG
from pipeline.few_shot_config import FewShotConfig

WORDS = {"heart": ["heart", "matter"], "lungs": ["lungs", "two"]}


@pytest.fixture(scope="module")
def generator():
    return tiny_gpt.make_generator(max_sequence_length=200)


@pytest.fixture(scope="module")
def world(generator, tmp_path_factory):
    """A pushed GPT, and texts whose even numbers are test; the last test text is a train text, too."""
    folder = tmp_path_factory.mktemp("few_shot")
    Gpt(generator).save(folder / "runs/gpt/serving/gpt/1")
    rows = [
        {"id": i, "text": f"the {words[i % 2]} number {i // 2}", "topic": label}
        for label, words in WORDS.items()
        for i in range(20)
    ]
    rows = [row | {"id": number} for number, row in enumerate(rows)]
    rows.append({"id": 40, "text": rows[1]["text"], "topic": "heart"})
    (folder / "data").mkdir()
    lines = [json.dumps(row) + "\n" for row in rows]
    (folder / "data" / "rows.jsonl").write_text("".join(lines))
    return folder


def settings(world, **changes) -> dict:
    asked = {"tests": 8, "seeds": 3, "wording": {"lungs": "two lungs"}}
    return {
        "name": "few",
        "root": str(world / "runs"),
        "pretrained": {"pipeline": "gpt", "root": str(world / "runs")},
        "data": {
            "path": str(world / "data"),
            "text": {
                "label_column": "topic",
                "key_column": "id",
                "splits": {"test_rule": {"modulus": 2, "remainder": 0}, "eval": 0.1},
            },
        },
        "few_shot": asked | changes,
    }


def run(world, run_id="1", **changes) -> dict:
    config = FewShotConfig.model_validate(settings(world, **changes))
    return few_shot.run_few_shot(config, run_id, lambda _: None)


def test_the_summary_is_what_the_model_and_the_examples_give(world, generator):
    """Each prompt is scored here by itself, by the definition: the greatest p(label | text) / p(label)."""
    summary = run(world)
    assert (summary["examples"], summary["tests"], summary["labels"]) == (2, 8, ["heart", "lungs"])
    config = FewShotConfig.model_validate(settings(world))
    learn, tests = few_shot._texts(config)
    assert len(learn) == 20
    reads = {"heart": "heart", "lungs": "two lungs"}
    accuracy, chosen = summary["accuracy"], collections.defaultdict(collections.Counter)
    for seed in range(3):
        few = few_shot.draw_examples(learn, 1, seed)
        before = "".join(f"{text} topic {reads[label]} " for text, label in few)

        def shares(text, before=before):
            prompts = [f"{before}{text} topic {reads[name]}" for name in sorted(reads)]
            return special.softmax(generator.score(prompts)["log_likelihood"])

        prior = np.mean([shares(text) for text in content_free([text for text, _ in few])], axis=0)
        for name, divisor in ((few_shot.GPT, prior), (few_shot.RAW, 1)):
            found = [sorted(reads)[np.argmax(shares(text) / divisor)] for text, _ in tests]
            right = [f == label for f, (_, label) in zip(found, tests, strict=True)]
            assert accuracy[name]["seeds"][seed] == np.mean(right)
            chosen[name].update(found)
    assert {name: summary["predictions"][name] for name in chosen} == chosen
    assert accuracy[few_shot.GPT]["seeds"] != accuracy[few_shot.RAW]["seeds"]
    assert summary["true_labels"] == collections.Counter(label for _, label in tests)


def test_the_summary_is_written_with_means_and_intervals(world):
    summary = run(world, "2")
    folder = world / "runs/few/2"
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert json.loads((folder / "config.json").read_text())["few_shot"]["tests"] == 8
    for found in summary["accuracy"].values():
        assert found["mean"] == pytest.approx(np.mean(found["seeds"]))
        half = stats.t.ppf(0.975, 2) * np.std(found["seeds"], ddof=1) / np.sqrt(3)
        assert (found["low"], found["high"]) == pytest.approx(
            (found["mean"] - half, found["mean"] + half)
        )
    assert summary["accuracy"][few_shot.SVM]["mean"] > 0.4


def test_test_texts_are_from_the_test_split_and_not_seen_in_examples(world):
    config = FewShotConfig.model_validate(settings(world, tests=100))
    learn, tests = few_shot._texts(config)
    assert len(tests) == 20  # of 21, one of which is also a train text
    assert not {text for text, _ in learn} & {text for text, _ in tests}


def test_examples_are_so_many_of_each_label_and_others_each_time():
    rows = [(str(n), "ab"[n % 2]) for n in range(40)]
    drawn = few_shot.draw_examples(rows, 3, seed=1)
    assert sorted(label for _, label in drawn) == ["a"] * 3 + ["b"] * 3
    assert len(set(drawn)) == 6
    assert drawn == few_shot.draw_examples(rows, 3, seed=1)
    assert drawn != few_shot.draw_examples(rows, 3, seed=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples_per_class": 11}, "label 'heart' has 10 texts"),
        ({"examples_per_class": 10}, "20 examples leave no room"),
        ({"wording": {"lung": "air"}}, "no label is called 'lung'; there are heart, lungs"),
        ({"wording": {"lungs": "heart"}}, "two labels read the same"),
    ],
)
def test_what_cannot_be_asked_is_told(world, changes, message):
    with pytest.raises(few_shot.FewShotError, match=message):
        run(world, **changes)


def test_a_model_that_is_no_gpt_is_told(world):
    (world / "runs/bert/serving/bert/1").mkdir(parents=True)
    document = settings(world)
    document["pretrained"]["pipeline"] = "bert"
    with pytest.raises(few_shot.FewShotError, match="is no GPT"):
        few_shot.run_few_shot(FewShotConfig.model_validate(document), "3", print)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"template": "{text}: {label}!"}, r'expected "{text}", and " {label}" at the end'),
        ({"seeds": 1}, "greater than or equal to 2"),
    ],
)
def test_impossible_settings_are_refused(world, group, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        FewShotConfig.model_validate(settings(world, **group))


def test_grouped_records_are_refused(world):
    document = settings(world)
    document["data"]["text"]["splits"]["group_near_duplicates"] = True
    with pytest.raises(pydantic.ValidationError, match="cannot be grouped"):
        FewShotConfig.model_validate(document)


def test_the_command_prints_a_table(world):
    file = world / "few.yaml"
    file.write_text(yaml.safe_dump(settings(world)))
    done = CliRunner().invoke(app, ["validate", "-c", str(file)])
    assert done.output == f"{file}: valid (few)\n"
    done = CliRunner().invoke(app, ["run", "-c", str(file)])
    assert done.exit_code == 0, done.output
    assert len(list((world / "runs/few").glob("*Z/summary.json"))) == 1
    done = CliRunner().invoke(app, ["show", "-c", str(file)])
    assert done.exit_code == EXIT_CONFIG
    done = CliRunner().invoke(app, ["run", "-c", str(file), "-s", "pretrained.pipeline=other"])
    assert done.exit_code == EXIT_CONFIG
    assert "pretrained: " in done.output
