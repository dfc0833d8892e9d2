"""The compiled form of two lines, as it was last looked at.

`UPDATE_GOLDEN=1 python -m pytest tests/kubeflow/test_golden.py` writes the files anew; `git diff` then shows
what changed.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from end_to_end_world import settings
from test_pretrain_line import pretrain_settings

from kubeflow.compile import compile_line
from pipeline.configs import PipelineConfig
from pipeline.pretrain_config import PretrainConfig

FOLDER = Path(__file__).parent / "golden"
NOWHERE = Path("/nowhere")
SECTION = {
    "image": "registry.example/sciformer:1",
    "pipeline_root": "gs://bucket/runs",
    "data": "/mnt/data",
    "serving": "/mnt/serving",
    "checkpoints": "/mnt/checkpoints",
    "step": {"cpu": 2, "retries": 1},
    "steps": {"Trainer": {"accelerator": "nvidia.com/gpu", "memory_gb": 30}},
    "volumes": [{"claim": "sciformer", "path": "/mnt"}],
}
FAIRNESS = {"attributes": {"acuity": {"words": {"acute": ["acute"], "mild": ["mild"]}}}}
LINES = {
    "finetune": lambda: PipelineConfig.model_validate(
        settings(
            NOWHERE,
            gate={"min_accuracy": 0.8, "slices": ["label"], "fairness": FAIRNESS},
            mitigation={"attribute": "acuity", "reweight": True},
            kubeflow=SECTION | {"vocabulary": "/mnt/vocab.txt"},
        )
    ),
    "pretrain": lambda: PretrainConfig.model_validate(pretrain_settings(NOWHERE, kubeflow=SECTION)),
}
# What differs with any edit of the code, and with the stack's versions.
CHANGING = {"code_fingerprint", "files_fingerprint", "sdkVersion"}


def normalized(value: Any) -> Any:
    """JSON inside texts as structure, so that a difference can be read; what always changes left out."""
    if isinstance(value, dict):
        return {key: normalized(one) for key, one in value.items() if key not in CHANGING}
    if isinstance(value, list):
        return [normalized(one) for one in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return normalized(json.loads(value))
        except ValueError:
            return value
    return value


@pytest.mark.parametrize("name", LINES)
def test_the_compiled_form_is_what_it_was(name):
    job, platform = compile_line(LINES[name]())
    now = yaml.safe_dump_all([normalized(job["pipelineSpec"]), platform], sort_keys=True)
    path = FOLDER / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(now)
    assert now == path.read_text(), (
        f"{path} differs. If that is meant: UPDATE_GOLDEN=1 python -m pytest {__file__}"
    )
