"""Renders a run's report and writes it beside the run's summary."""

from pathlib import Path
from typing import Any

import jinja2
import yaml

from components.evaluator.verdict import OVERALL, Verdict
from models.whole_file import write_whole_file
from pipeline.report import metric_plots, run_plots
from pipeline.report.answer import Answer, answer, pushed_place
from pipeline.report.formats import FILTERS
from pipeline.report.run_record import RunRecord

REPORT_FILE = "report.html"
_HEADLINE_METRICS = ("accuracy", "micro_f1", "macro_f1", "mae", "rmse")


def write_report(record: RunRecord) -> Path:
    """Writes `report.html` into a run's folder, whole or not at all; returns the file."""
    path = record.folder / REPORT_FILE
    write_whole_file(path, render(record))
    return path


def render(record: RunRecord) -> str:
    """The whole page; all text of the run is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    found = answer(record)
    return environment.get_template("page.html.j2").render(
        record=record,
        summary=record.summary,
        verdict=record.verdict,
        answer=found,
        place=pushed_place(record),
        main=_main_metric(record.verdict),
        config_text=yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True, width=100),
        plots=_plots(record, found),
    )


def _main_metric(verdict: Verdict | None) -> str | None:
    """The metric that slices are drawn by."""
    overall = verdict.overall if verdict else None
    if overall is None or not overall.metrics:
        return None
    return next((n for n in _HEADLINE_METRICS if n in overall.metrics), next(iter(overall.metrics)))


def _plots(record: RunRecord, found: Answer) -> dict[str, Any]:
    """Every plot that the run has data for."""
    plots: dict[str, Any] = {}
    if record.verdict:
        plots |= _metric_plots(record.verdict, found)
    history = record.history
    if history and history["epochs"] and history["steps"]:
        plots["losses"] = run_plots.losses(history)
        plots["epochs"] = run_plots.by_epoch(history)
        plots["rates"] = run_plots.learning_rate(history)
    if record.lengths is not None:
        plots["lengths"] = run_plots.lengths(record.lengths)
    return plots


def _metric_plots(verdict: Verdict, found: Answer) -> dict[str, Any]:
    plots: dict[str, Any] = {}
    overall, main = verdict.overall, _main_metric(verdict)
    if overall and verdict.comparisons and verdict.comparisons[0].metric in overall.metrics:
        metric = verdict.comparisons[0].metric
        alike = [one for one in verdict.comparisons if one.metric == metric]
        rule = next((f.rule for f in found.figures if f.metric == metric), None)
        plots["compared"] = metric_plots.compared(overall.metrics[metric], alike, rule)
    if main and any(main in s.metrics for s in verdict.slices if s.slice != OVERALL):
        plots["slices"] = metric_plots.by_slice(verdict.slices, main)
    if verdict.calibration:
        plots["reliability"] = metric_plots.reliability(verdict.calibration)
    if verdict.coverage:
        plots["coverage"] = metric_plots.coverage(verdict.coverage)
    if verdict.fairness and verdict.fairness.groups:
        attributes = dict.fromkeys(one.attribute for one in verdict.fairness.groups)
        plots["groups"] = {a: metric_plots.groups(verdict.fairness.groups, a) for a in attributes}
    return plots
