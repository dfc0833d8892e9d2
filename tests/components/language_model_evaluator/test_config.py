import math

import pytest

from components.language_model_evaluator.config import LanguageModelGateConfig

GATE = LanguageModelGateConfig(max_perplexity=20, min_mlm_accuracy=0.4)


def test_rules_are_kept_at_their_thresholds():
    rules = GATE.judge({"perplexity": 20.0, "mlm_accuracy": 0.4}, 300)
    assert [(rule.name, rule.is_met, rule.threshold, rule.examples) for rule in rules] == [
        ("max_perplexity", True, 20.0, 300),
        ("min_mlm_accuracy", True, 0.4, 300),
    ]
    assert rules[0].estimate.value == 20.0


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
    assert [rule.sentence for rule in GATE.judge(metrics, 300) if not rule.is_met] == [sentence]
