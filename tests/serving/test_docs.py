"""The commands of docs/serving.md that ask a server, run as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier

ROOT = Path(__file__).parent.parent.parent
MARKDOWN = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "effect", "aspirin", "stroke"]
TEXT = "Effect of aspirin on recurrent stroke."


@pytest.fixture(scope="module")
def classifier():
    backbone = BackboneConfig(
        vocabulary_size=len(WORDS), num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    config = ClassifierConfig(backbone=backbone, classes=("heart", "brain"), max_length=16)
    return TextClassifier(config, WORDS)


@pytest.fixture(scope="module")
def pubmed(serve, classifier, tmp_path_factory):
    """A server of an export of ours, with the documented name."""
    base = tmp_path_factory.mktemp("serving") / "pubmed"
    export_classifier(classifier, str(base / "1"))
    with serve(model_name="pubmed", model_base_path=str(base)) as target:
        yield target


@pytest.fixture(scope="module")
def answer(classifier):
    """The documented text's label, and its probabilities by class."""
    [probabilities] = classifier.probabilities([TEXT])
    return classifier.classes[probabilities.argmax()], probabilities


def asking_blocks():
    blocks = re.findall(r"```sh\n(.*?)```", MARKDOWN, re.DOTALL)
    return [block for block in blocks if block.startswith(("curl", "# Rows in"))]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_curl_lines_work(pubmed, answer):
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
        document, end = decoder.raw_decode(rest)
        answers.append(document)
        rest = rest[end:].strip()
    label, probabilities = answer
    status, rows, columns, example, classes, embedding, metadata, again = answers
    assert rows["predictions"] == example["predictions"]
    assert rows["predictions"][0]["label"] == columns["outputs"]["label"][0] == label
    assert dict(classes["results"][0]) == pytest.approx(
        dict(zip(["heart", "brain"], probabilities.tolist(), strict=True)), abs=1e-5
    )
    assert len(embedding["predictions"][0]) == 4
    assert "serving_text" in metadata["metadata"]["signature_def"]["signature_def"]
    assert status == again
    assert status["model_version_status"][0]["state"] == "AVAILABLE"


def test_the_python_lines_work(pubmed, answer, capsys):
    [block] = re.findall(r"```python\n(.*?)```", MARKDOWN, re.DOTALL)
    exec(block.replace("localhost:8500", pubmed.grpc_target), {})
    assert capsys.readouterr().out.startswith(f"{answer[0]} ")
