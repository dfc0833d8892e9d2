import math

import pytest

from components.language_model_evaluator.config import LanguageModelGateConfig

GATE = LanguageModelGateConfig(max_perplexity=20, min_mlm_accuracy=0.4)


def test_rules_that_are_kept_give_no_sentence():
    assert GATE.failures({"perplexity": 20.0, "mlm_accuracy": 0.4}) == []


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (
            {"perplexity": 20.1, "mlm_accuracy": 0.5},
            "perplexity on the eval split is 20.1000, asked at most 20",
        ),
        (
            {"perplexity": 3.0, "mlm_accuracy": 0.39},
            "mlm_accuracy on the eval split is 0.3900, asked at least 0.4",
        ),
        (
            {"perplexity": math.nan, "mlm_accuracy": 0.5},
            "perplexity on the eval split is nan, asked at most 20",
        ),
        (
            {"perplexity": 3.0},
            "mlm_accuracy is not measured for this model, but min_mlm_accuracy is given",
        ),
    ],
)
def test_every_broken_rule_gives_a_sentence(metrics, sentence):
    assert GATE.failures(metrics) == [sentence]
