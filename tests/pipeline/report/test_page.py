"""The report as a reader gets it: one safe file that says whether, why and what next."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lxml import html
from pushing import Push
from small_verdict import HOSTILE, bare, make_verdict
from typer.testing import CliRunner

from components.data_audit.report import Audit, Overlap, Pair, PretrainingOverlap
from components.data_validator.drift import Change, Drift
from components.evaluator.verdict import Estimate
from components.language_model_evaluator.config import LanguageModelGateConfig
from components.near_duplicates.config import NearDuplicateConfig
from pipeline.__main__ import app
from pipeline.config_loader import load_config
from pipeline.configs import PipelineConfig, local_paths
from pipeline.report.page import render, write_report
from pipeline.report.run_record import RunError, RunRecord
from pipeline.versions import rollback, status


def page(folder):
    return html.fromstring(render(RunRecord.read(folder)))


def banner(tree) -> str:
    [found] = tree.find_class("answer")
    return " ".join(found.text_content().split())


def test_a_good_run_may_be_shipped_and_says_where_it_is(world, good_page):
    tree = html.fromstring(good_page)
    text = banner(tree)
    assert "May I ship this model? Yes." in text
    assert "measurably better than the majority class" in text
    assert "version 17, /serving/notes/17" in text
    [figures] = tree.find_class("figures")
    assert f"{world.right.mean():.3f}" in figures.text_content()
    assert "asked at least 0.3" in figures.text_content()


def test_a_good_run_says_too_who_is_better(world, write_run):
    verdict = bare(make_verdict(world, threshold=0.3))
    [majority] = make_verdict(world, threshold=0.3).comparisons
    behind = Estimate(value=-0.1, low=-0.2, high=-0.05)
    svm = majority.model_copy(update={"against": "TF-IDF + linear SVM", "difference": behind})
    text = banner(page(write_run(verdict.model_copy(update={"comparisons": (majority, svm)}))))
    assert (
        "It is measurably better than the majority class, but measurably worse than the TF-IDF"
        in text
    )


def test_a_refused_run_says_every_rule_that_is_not_met(world, write_run):
    verdict = make_verdict(world, threshold=0.99)
    reasons = [*verdict.reasons, "serving: 3 mismatches in 40 answers"]
    folder = write_run(
        bare(verdict),
        status="not_blessed",
        pushed=None,
        blessing={"blessed": False, "reasons": reasons},
    )
    text = banner(page(folder))
    assert "No. 2 rules are not met" in text
    assert all(reason in text for reason in reasons)


def test_a_failed_run_says_where_why_and_what_to_do(write_run):
    message = "20 of 100 rows are bad: empty_text 20"
    folder = write_run(
        status="failed",
        error={"component": "DataValidator", "message": message},
        blessing=None,
        pushed=None,
        metrics={},
        text=None,
        rows=None,
        artifacts={"TextExampleGen.quarantine": ["/runs/quarantine/2"]},
    )
    text = banner(page(folder))
    assert "No. DataValidator failed" in text
    assert message in text
    assert "/runs/quarantine/2" in text
    assert "give the same command again" in text


def test_a_preempted_run_goes_on_with_the_same_command(write_run):
    error = {"component": "Trainer", "message": "SIGTERM after 109 updates"}
    text = banner(page(write_run(status="preempted", error=error, blessing=None, pushed=None)))
    assert "Not yet." in text
    assert "it goes on from there" in text


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("stable", "Yes. Every rule that blocks is met; the model is blessed and pushed."),
        ("canary", "pushed, a canary until it is promoted."),
        ("kept", "pushed, but it is not the stable version any more."),
        (
            "deleted",
            "Not any more. Every rule that blocks was met, but the pushed version was deleted",
        ),
    ],
)
def test_what_was_pushed_is_told_as_it_is_now(write_run, label, said):
    pushed = {"version": "17", "path": "/serving/notes/17", "label": label}
    text = banner(page(write_run(pushed=pushed)))
    assert said in text
    assert ("/serving/notes/17" in text) == (label != "deleted")


def test_texts_of_the_data_cannot_become_markup(good_page):
    tree = html.fromstring(good_page)
    assert not list(tree.iter("script"))
    assert HOSTILE.split("&")[0].strip() in tree.text_content()  # shown, as text


def test_nothing_is_loaded(good_page):
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\s\"'<>]+", good_page)) <= namespaces
    tree = html.fromstring(good_page)
    assert not tree.xpath("//link | //img | //iframe | //*[@src]")
    assert all(a.get("href").startswith("#") for a in tree.iter("a"))
    assert "@import" not in good_page


def test_every_link_of_the_page_has_its_place(good_page):
    tree = html.fromstring(good_page)
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {a.get("href")[1:] for a in tree.iter("a")} <= set(ids)
    for reference in re.findall(r"url\(#([^)]+)\)", html.tostring(tree, encoding="unicode")):
        assert reference in ids


def test_the_page_is_well_formed(good_page):
    class Balanced(HTMLParser):
        void = {"meta", "br"}

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag, self.getpos()

    parser = Balanced()
    parser.feed(good_page)
    assert parser.open == []


def test_plots_take_the_pages_colours(good_page):
    for svg in html.fromstring(good_page).iter("{*}svg", "svg"):
        text = html.tostring(svg, encoding="unicode")
        colors = set(re.findall(r"#[0-9a-f]{6}", text))
        assert not colors, text[:500]
        assert "var(--" in text
        assert svg.get("aria-label")


def test_light_dark_and_paper(good_page):
    assert "@media (prefers-color-scheme: dark)" in good_page
    assert "@media print" in good_page


def test_each_part_of_the_verdict_has_its_section(world, good_page):
    tree = html.fromstring(good_page)
    for section in ("slices", "confusion", "calibration", "fairness", "examples"):
        assert tree.get_element_by_id(section) is not None
    confusion = tree.get_element_by_id("confusion").xpath(".//td/span/text()")
    assert sum(int(count) for count in confusion if count != "·") == len(world.texts)


def test_duplicates_and_drift_are_told_of(write_run, tmp_path):
    overlap = Overlap(split="test", other="train", examples=120, exact=2, duplicated=7, share=0.058)
    pair = Pair(
        keys=("1", "2"),
        splits=("test", "train"),
        labels=("reagent", "sample"),
        excerpts=(HOSTILE, "no signal"),
        similarity=0.9,
        is_exact=False,
    )
    nothing = PretrainingOverlap(source="none", test_examples=0, present=0, share=0, keys=())
    audit = Audit(
        examples={"train": 300, "test": 120},
        near_duplicates=NearDuplicateConfig(),
        distinct_texts=410,
        near_duplicate_pairs=9,
        overlaps=(overlap,),
        label_conflicts=3,
        label_conflict_share=0.007,
        cluster_sizes={2: 9},
        pairs=(pair,),
        conflicts=(pair,),
        passed_over=0,
        pretraining=nothing,
        warnings=("5.8 % of test have a duplicate in train",),
    )
    change = Change(measure="label", difference=0.3, allowed=0.15, sentence="reagent .1, was .4")
    drift = Drift(
        compared_with="/runs/3", profile=None, changes=(change,), warnings=("drift: label",)
    )
    for folder, made in (("audit", audit), ("anomalies", drift)):
        (tmp_path / folder).mkdir()
        made.write(str(tmp_path / folder))
    artifacts = {
        "DataAudit.audit": [str(tmp_path / "audit")],
        "DataValidator.anomalies": [str(tmp_path / "anomalies")],
    }
    tree = page(write_run(artifacts=artifacts))
    text = " ".join(tree.get_element_by_id("data").text_content().split())
    for said in (*audit.warnings, *drift.warnings, change.sentence, "410 different texts"):
        assert said in text
    rows = [[cell.text_content() for cell in row] for row in tree.iter("tr")]
    assert ["test", "train", "2", "7", "5.8%"] in rows


def test_a_verdict_with_nothing_in_it_still_makes_a_page(world, write_run):
    assert "Yes." in banner(page(write_run(bare(make_verdict(world, threshold=0.3)))))


def test_what_cannot_be_read_is_told_and_costs_nothing_else(world, write_run):
    good = write_run(make_verdict(world, threshold=0.3))
    (good / "evaluation/verdict.json").write_text("{")
    tree = page(good)
    assert "Yes." in banner(tree)
    assert "verdict.json" in tree.get_element_by_id("time").text_content()


def test_it_is_written_whole_beside_the_summary(good, good_page):
    path = write_report(RunRecord.read(good))
    assert path == good / "report.html"
    assert path.read_text() == good_page  # nothing of chance or time is in it
    assert not list(good.glob("*.part"))


def test_a_run_that_was_killed_has_no_report(tmp_path):
    with pytest.raises(RunError, match="has not ended, or was killed"):
        RunRecord.read(tmp_path)


CONFIG = """
name: notes
root: {root}
data: {{path: data, text: {{label_column: label}}}}
model:
  vocabulary: vocab.txt
  backbone: {{num_layers: 1, num_heads: 1, hidden_dim: 4, intermediate_dim: 4}}
gate: {{min_accuracy: 0.5}}
"""
_GATE = LanguageModelGateConfig(max_perplexity=40, min_mlm_accuracy=0.5)
_METRICS = {"perplexity": 34.2, "mlm_accuracy": 0.4}
LANGUAGE_MODEL = {
    "metrics": _METRICS,
    "rows": 300,
    "rules": [rule.model_dump() for rule in _GATE.judge(_METRICS, 300)],
    "reasons": [],
}


def test_the_command_writes_the_newest_runs_report_again(write_run, tmp_path):
    folder = write_run()
    config = tmp_path / "notes.yaml"
    config.write_text(CONFIG.format(root=tmp_path))
    for run_id in ("20260101T000000.000Z", folder.name):
        shutil.copytree(folder, tmp_path / "notes" / run_id)
    newest = CliRunner().invoke(app, ["report", "--config", str(config)])
    assert newest.exit_code == 0, newest.stderr
    assert Path(newest.stdout.strip()) == tmp_path / "notes" / folder.name / "report.html"
    old = CliRunner().invoke(
        app, ["report", "--config", str(config), "--run", "20260101T000000.000Z"]
    )
    assert "20260101T000000.000Z" in old.stdout
    assert "Not any more." in Path(old.stdout.strip()).read_text()  # nothing is in the store
    missing = CliRunner().invoke(app, ["report", "--config", str(config), "--run", "no"])
    assert missing.exit_code == 2
    assert "no finished run 'no'; the latest are 20260101T000000.000Z, " in missing.stderr


def test_the_command_says_that_a_version_was_rolled_back_since(write_run, tmp_path):
    path = tmp_path / "notes.yaml"
    path.write_text(CONFIG.format(root=tmp_path) + "push: {wait_seconds: 0}\n")
    config = load_config(PipelineConfig, path, [])
    push = Push(tmp_path / "made", local_paths(config)["serving"])
    version = [push.push(weights) for weights in "ab"][-1]
    pushed = {"version": str(version), "path": str(push.base / str(version)), "label": "stable"}
    folder = write_run(pushed=pushed)
    shutil.copytree(folder, tmp_path / "notes" / folder.name)

    def told() -> str:
        done = CliRunner().invoke(app, ["report", "--config", str(path)])
        assert done.exit_code == 0, done.stderr
        return banner(html.fromstring(Path(done.stdout.strip()).read_text()))

    assert "May I ship this model? Yes." in told()
    made = rollback(config, why="wrong on children & adults")
    text = told()
    assert "May I ship this model? No." in text
    when = made.when.strftime("%d %B %Y, %H:%M").lstrip("0")
    assert f"rolled back on {when} UTC by {made.who}. wrong on children & adults" in text
    assert status(config).versions[0].path in text  # where it lies now


def test_a_pretraining_run_has_its_own_question_and_rules(write_run):
    folder = write_run(metrics={"eval": LANGUAGE_MODEL["metrics"]}, vocabulary=None)
    (folder / "evaluation").mkdir()
    (folder / "evaluation/language_model_evaluation.json").write_text(json.dumps(LANGUAGE_MODEL))
    summary = json.loads((folder / "summary.json").read_text())
    summary["artifacts"] = {"LanguageModelEvaluator.evaluation": [str(folder / "evaluation")]}
    summary["vocabulary"] = {
        "kind": "wordpiece",
        "tokens": 16000,
        "splits": {
            "train": {
                "texts": 10,
                "words": 2000,
                "pieces_per_word": 1.12,
                "unknown_rate": 0.001,
            }
        },
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.json").write_text(json.dumps({"examples": {}}))
    tree = page(folder)
    assert "May I build on this language model? Yes." in banner(tree)
    [figures] = tree.find_class("figures")
    assert "✓ asked at most 40" in figures.text_content()
    assert "✗ asked at least 0.5" in figures.text_content()
    assert "wordpiece, 16,000 tokens" in tree.get_element_by_id("data").text_content()
