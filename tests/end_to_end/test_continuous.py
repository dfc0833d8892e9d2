"""Spans come in: a sound one, one that has drifted, one whose labels were shuffled."""

import json
import random
from pathlib import Path

import pytest
from end_to_end_world import VOCABULARY, Recorder, make_config, make_rows, settings, write_csv
from rich.console import Console

from components.trainer.run_fn import DESCRIPTION_FOLDER
from models.classifier import read_description
from models.warm_start import read_variables
from pipeline import versions
from pipeline.continuous.command import run_continuously
from pipeline.continuous.ledger import Ledger
from pipeline.lineage import lineage_text
from pipeline.run import new_run_id, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 300


class Line:
    """A continuous line whose spans are written by hand; `summaries` are those of its runs."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "data").mkdir()
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        world = settings(folder)
        text = world["data"]["text"] | {"pattern": "span-{SPAN}/*.csv", "spans": {"window": 2}}
        self.config = make_config(
            folder,
            data=world["data"] | {"text": text},
            model=world["model"] | {"warm_start": True},
            gate={"min_accuracy": 0.7, "slices": ["span"]},
            push={"canary": True, "wait_seconds": 0},
            continuous={"canary": {"texts": 32, "max_disagreement": 0.5, "max_slowdown": 50}},
        )
        self.summaries: list[dict] = []

    def write(self, span: int, rows: list[dict[str, str]]) -> None:
        (self.folder / f"data/span-{span}").mkdir()
        numbered = [{**row, "id": f"{span}-{row['id']}"} for row in rows]
        write_csv(self.folder / f"data/span-{span}/rows.csv", numbered)

    def step(self) -> list:
        def run_line(config):
            self.summaries.append(run(config, new_run_id(), Recorder()))
            return self.summaries[-1]

        return run_continuously(self.config, run_line, Console(quiet=True))


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> Line:
    """The three spans, one after the other."""
    made = Line(tmp_path_factory.mktemp("continuous"))
    made.write(1, make_rows(ROWS))
    made.step()
    others = [row for row in make_rows(ROWS, seed=1) if row["label"] != "heart"]
    hearts = [row for row in make_rows(3 * ROWS, seed=2) if row["label"] == "heart"]
    made.write(2, [*others[: ROWS // 10], *hearts[: ROWS - ROWS // 10]])
    made.step()
    rows = make_rows(ROWS, seed=3)
    labels = [row["label"] for row in rows]
    random.Random(0).shuffle(labels)
    made.write(3, [{**row, "label": label} for row, label in zip(rows, labels, strict=True)])
    made.step()
    return made


def test_a_sound_one_is_promoted_a_drifted_one_flagged_a_poisoned_one_refused(line):
    first, drifted, poisoned = Ledger(line.config).decisions()
    assert [d.window for d in (first, drifted, poisoned)] == [(1,), (1, 2), (2, 3)]
    assert (first.outcome, first.drift, first.canary) == ("promoted", (), None)
    assert drifted.outcome == "promoted", drifted.why
    assert any("label 'heart' has a share of" in sentence for sentence in drifted.drift)
    assert drifted.canary.canary.failed == 0
    assert drifted.canary.texts == 32
    assert poisoned.outcome == "refused"
    assert "accuracy on all test examples is" in poisoned.why
    assert poisoned.pushed is None
    assert first.stable == first.pushed
    assert drifted.stable == drifted.pushed != first.pushed
    assert poisoned.stable == drifted.pushed


def test_versions_tell_the_same(line):
    _, drifted, _ = Ledger(line.config).decisions()
    found = versions.status(line.config)
    assert (found.stable, found.canary) == (drifted.pushed, None)
    assert [change.action for change in found.history] == ["push", "push", "promote"]
    assert "span 2" in found.history[-1].why


def test_a_training_goes_on_from_the_stable_model(line):
    first, drifted, poisoned = line.summaries
    assert first["warm_start"]["model"] is None
    assert "no model of other data has been pushed yet" in first["warm_start"]["reason"]
    for summary, base in ((drifted, first), (poisoned, drifted)):
        [model] = base["artifacts"]["Trainer.model"]
        assert summary["warm_start"]["model"] == f"{model}/Format-Serving"
        assert set(summary["warm_start"]["kept"]) == {"heart", "lung", "skin"}
    text = lineage_text(drifted["run_id"], Path(line.config.root))
    assert f"warm start  {first['artifacts']['Trainer.model'][0]}" in text
    assert "spans       1, 2" in text
    card = Path(drifted["pushed"]["path"], "assets.extra/model_card.md").read_text()
    assert "on from an earlier pushed model" in card


def test_an_exported_model_says_what_it_is(line):
    [model] = line.summaries[0]["artifacts"]["Trainer.model"]
    folder = f"{model}/Format-Serving"
    config, vocabulary = read_description(f"{folder}/{DESCRIPTION_FOLDER}")
    assert vocabulary == VOCABULARY
    weights = read_variables(folder)
    assert weights["head/kernel"].shape == (32, len(config.classes))
    assert not any(path.endswith("Variable") for path in weights)


def test_nothing_new_is_nothing_done(line):
    runs = len(line.summaries)
    assert line.step() == []
    assert len(line.summaries) == runs


def test_a_step_that_was_killed_before_it_wrote_its_decision_goes_on(line):
    """The worst moment: the canary was promoted already. All is cached, nothing is tried or pushed again."""
    ledger = Ledger(line.config)
    before = ledger.decisions()
    history = versions.status(line.config).history
    ledger.path.write_text(json.dumps([before[0].model_dump(mode="json")]))
    again = line.step()
    assert [(d.span, d.outcome, d.pushed, d.stable) for d in again] == [
        (d.span, d.outcome, d.pushed, d.stable) for d in before[1:]
    ]
    assert versions.status(line.config).history == history
    states = {
        part["state"] for summary in line.summaries[-2:] for part in summary["components"].values()
    }
    assert states == {"cached"}
