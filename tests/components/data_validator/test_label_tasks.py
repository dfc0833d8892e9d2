"""Labels that are several classes or numbers: what stops the line, and what has drifted."""

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from components.data_validator.config import ValidationConfig
from components.data_validator.drift import distribution_changes
from components.data_validator.executor import _anomalies, _label_problems
from components.data_validator.schema import LABEL_KINDS, build_schema, label_task

STRICT = ValidationConfig(max_label_skew=0.1)


def statistics(labels):
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame({"label": labels}))


def schema(task):
    return build_schema({"label": LABEL_KINDS[task]})


@pytest.mark.parametrize("task", LABEL_KINDS)
def test_the_schema_tells_the_task(task):
    assert label_task(schema(task)) == task
    assert label_task(build_schema({"text": "bytes"})) is None


def numbers(mean, count=400, spread=5.0):
    return statistics(mean + spread * np.random.default_rng(0).standard_normal(count))


def test_numbers_of_other_splits_may_differ_by_chance_and_no_more():
    train = numbers(100.0)
    close, far = (
        {"train": train, "eval": numbers(101.0, 50)},
        {"train": train, "eval": numbers(103)},
    )
    assert _label_problems(close, schema("regression"), STRICT) == []
    [problem] = _label_problems(far, schema("regression"), STRICT)
    assert "the mean label of split train is 99." in problem
    assert "validation.max_label_skew" in problem
    assert all(
        not found.anomaly_info for found in _anomalies(far, schema("regression"), STRICT).values()
    )


def test_equal_numbers_teach_nothing():
    [problem] = _label_problems({"train": statistics([3.5] * 9)}, schema("regression"), STRICT)
    assert problem == "all labels of split train are 3.5: there is nothing to learn"


def test_a_numeric_label_drifts_with_its_mean():
    [change] = distribution_changes(numbers(104.0), numbers(100.0), max_drift=0.15)
    assert change.measure == "label"
    assert change.difference == pytest.approx(0.8, abs=0.1)
    assert change.is_drift
    assert not distribution_changes(numbers(100.5), numbers(100.0), max_drift=0.15)[0].is_drift


def test_one_class_is_enough_where_a_text_may_have_none():
    one = statistics(["a", "a", None])
    assert _label_problems({"train": one}, schema("multi_label"), STRICT) == []
    assert "one label 'a'" in _label_problems({"train": one}, schema("single_label"), STRICT)[0]
    [problem] = _label_problems({"train": statistics([None, None])}, schema("multi_label"), STRICT)
    assert "no example of split train has a class" in problem
