"""The commands of docs/serving.md that ask a server, run as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MARKDOWN = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pubmed(serve, models_folder, tmp_path_factory):
    """A server of a model with the documented name."""
    base = tmp_path_factory.mktemp("serving") / "pubmed"
    base.mkdir()
    shutil.copytree(models_folder / "pair" / "1", base / "1")
    with serve(model_name="pubmed", model_base_path=str(base)) as target:
        yield target


def asking_blocks():
    blocks = re.findall(r"```sh\n(.*?)```", MARKDOWN, re.DOTALL)
    return [block for block in blocks if block.startswith(("curl", "# Rows in"))]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_curl_lines_work(pubmed, tmp_path):
    blocks = asking_blocks()
    assert len(blocks) == 2
    script = "set -e\n" + "\n".join(blocks).replace("curl -s", "echo; curl -sf")
    script = script.replace("localhost:8501", pubmed.rest.removeprefix("http://"))
    script = script.replace("python -c", f"{sys.executable} -c")
    result = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert result.returncode == 0, result.stderr
    decoder, answers, rest = json.JSONDecoder(), [], result.stdout.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].strip()
    kinds = [next(iter(answer)) for answer in answers]
    assert sorted(kinds) == sorted(
        ["model_version_status"] * 2 + ["predictions"] * 2 + ["outputs", "model_spec"]
    )
    assert answers[kinds.index("predictions")]["predictions"][0]["label"] == "long"


def test_the_python_lines_work(pubmed, capsys):
    [block] = re.findall(r"```python\n(.*?)```", MARKDOWN, re.DOTALL)
    exec(block.replace("localhost:8500", pubmed.grpc_target), {})
    assert capsys.readouterr().out.startswith("long ")
