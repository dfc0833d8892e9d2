"""What keeps a canary from taking over."""

import pytest

from pipeline.continuous.canary_report import Answered, CanaryReport
from pipeline.continuous.config import CanaryConfig


def report(disagreement=0.1, p_value=0.5, texts=100, **canary) -> CanaryReport:
    values = {"requests": 10, "failed": 0, "median_seconds": 0.2, "accuracy": 0.8}
    return CanaryReport(
        texts=texts,
        span=3,
        stable=Answered(**values),
        canary=Answered(**values | canary),
        disagreement=disagreement,
        p_value=p_value,
    )


def test_an_equal_one_is_let_through():
    assert report().objections(CanaryConfig()) == []


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"failed": 1}, "1 of 10 requests failed, max_errors is 0"),
        ({"disagreement": 0.26}, "labels 26.0% of 100 texts otherwise"),
        ({"median_seconds": 0.8}, "takes 4.00 times as long"),
        ({"accuracy": 0.6, "p_value": 0.01}, "its accuracy is 0.600, the stable model's 0.800"),
        ({"disagreement": None, "texts": 0}, "no text was answered by both"),
    ],
)
def test_each_limit_is_kept(found, sentence):
    [objection] = report(**found).objections(CanaryConfig())
    assert sentence in objection


@pytest.mark.parametrize(
    "found",
    [
        {"accuracy": 0.6, "p_value": 0.06},  # chance
        {"accuracy": 0.95, "p_value": 0.001},  # better
        {"median_seconds": None, "failed": 0},
        {"accuracy": None, "p_value": None},  # no labels
    ],
)
def test_what_is_no_objection(found):
    assert report(**found).objections(CanaryConfig()) == []


def test_limits_can_be_set():
    limits = CanaryConfig(max_errors=0.1, max_disagreement=0.3, max_slowdown=5)
    found = report(failed=1, disagreement=0.3, median_seconds=0.8)
    assert found.objections(limits) == []
