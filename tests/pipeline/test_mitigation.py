"""Mitigation in configs and in the graph."""

import re
from pathlib import Path

import pydantic
import pytest
import yaml

from components.evaluator.fairness.config import FairnessConfig
from components.mitigation.config import MitigationConfig
from pipeline.configs import PipelineConfig
from pipeline.graph import graph_text
from pipeline.inputs import InputError, check_inputs

ROOT = Path(__file__).resolve().parents[2]
BACKBONE = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}
ATTRIBUTES = {"sex": {"rule": "sex", "swap": True}, "length": {"feature": "length_band"}}
GATE = {"min_accuracy": 0.5, "fairness": {"attributes": ATTRIBUTES}}


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "vocab.txt").write_text("[PAD]\n")

    def build(**changes) -> PipelineConfig:
        groups = {
            "name": "tiny",
            "data": {
                "path": "data",
                "text": {"label_column": "label", "splits": {"eval": 0.1, "test": 0.2}},
            },
            "model": {"backbone": BACKBONE, "vocabulary": "vocab.txt"},
            "gate": GATE,
        }
        return PipelineConfig.model_validate(groups | changes)

    return build


def test_stands_before_transform_and_nothing_else_reads_it(make):
    text = graph_text(make(mitigation={"attribute": "sex", "augment": True}))
    blocks = {name: lines for name, *lines in map(str.splitlines, text.split("\n\n"))}
    readers = {name: lines for name, lines in blocks.items() if " of Mitigation" in str(lines)}
    assert set(readers) == {"Transform"}
    assert {"  ← examples of Mitigation", "  ← schema of Mitigation"} <= set(readers["Transform"])


def test_not_asked_for_it_is_not_there(compiled, make):
    assert "Mitigation" not in compiled(make())
    assert 'upstream_nodes: "DataValidator"' in compiled(make())["Transform"]


def test_a_setting_or_another_rule_changes_its_cache_key(compiled, make):
    """And the model card's, which holds the settings; what learns sees the other examples."""
    before = compiled(make(mitigation={"attribute": "sex", "augment": True}))
    assert 'upstream_nodes: "DataValidator"' in before["Mitigation"]
    changed = compiled(make(mitigation={"attribute": "sex", "reweight": True}))
    assert {node for node in before if before[node] != changed[node]} == {"Mitigation", "ModelCard"}
    gate = {"min_accuracy": 0.5, "fairness": {"attributes": {"sex": {"rule": "sex"}}}}
    changed = compiled(make(gate=gate, mitigation={"attribute": "sex", "augment": True}))
    assert {node for node in before if before[node] != changed[node]} == {
        *("Mitigation", "Evaluator", "ModelCard")
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mitigation": {"attribute": "age", "reweight": True}}, "has sex, length"),
        (
            {"mitigation": {"attribute": "sex", "reweight": True}, "gate": {"min_accuracy": 0.5}},
            "has nothing",
        ),
        ({"mitigation": {"attribute": "length", "augment": True}}, "cannot swap .* 'length'"),
    ],
)
def test_what_is_worked_on_must_be_measured(make, changes, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        make(**changes)


def test_a_group_by_no_feature_is_told(make):
    fairness = {"attributes": {"length": {"feature": "lenght_band"}}}
    config = make(gate={"min_accuracy": 0.5, "fairness": fairness})
    with pytest.raises(InputError, match="'lenght_band'; did you mean 'length_band'"):
        check_inputs(config)


def test_the_example_in_the_docs_is_sound():
    text = (ROOT / "docs/fairness.md").read_text()
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1))
    fairness = FairnessConfig.model_validate(example["gate"]["fairness"])
    mitigation = MitigationConfig.model_validate(example["mitigation"])
    assert fairness.attributes[mitigation.attribute].can_swap
