"""The conditions are those that TFX compiles."""

import pytest
from tfx.dsl.placeholder import placeholder
from tfx.orchestration.kubeflow.v2.compiler_utils import placeholder_to_cel

from kubeflow.local.conditions import ConditionError, holds

INPUTS = {
    "artifacts": {
        "m": {"artifacts": [{"uri": "gs://b/m&&n", "metadata": {"blessed": 1, "name": "it's!"}}]}
    }
}
MODEL = placeholder.input("m")[0]


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (MODEL.property("blessed") == 1, True),
        (MODEL.property("blessed") > 1, False),
        (MODEL.property("blessed") < 2, True),
        (placeholder.logical_not(MODEL.property("blessed") == 1), False),
        (placeholder.logical_and(MODEL.property("blessed") == 1, MODEL.uri == "gs://b/m&&n"), True),
        (placeholder.logical_or(MODEL.property("blessed") == 0, MODEL.uri == "x"), False),
        (MODEL.property("blessed") != 1, False),
    ],
)
def test_what_tfx_compiles(predicate, expected):
    assert holds(placeholder_to_cel(predicate.encode()), INPUTS) is expected


@pytest.mark.parametrize(
    "condition", ["__import__('os')", "inputs.artifacts['x'].uri == ''", "1 +", "[1][0] == 1"]
)
def test_anything_else_is_refused(condition):
    with pytest.raises(ConditionError):
        holds(condition, INPUTS)
