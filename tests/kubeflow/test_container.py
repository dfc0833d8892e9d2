"""The entry point of a step: paths and parameters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.container import local_path, localize, output_suffix, remote_uri, set_parameters


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://bucket/a/b", "/gcs/bucket/a/b"),
        ("minio://mlpipeline/v2/x", "/minio/mlpipeline/v2/x"),
        ("s3://bucket/x", "/s3/bucket/x"),
        ("/mnt/x", "/mnt/x"),
    ],
)
def test_artifacts_are_where_kubeflow_puts_them(uri, path):
    assert local_path(uri) == path
    assert remote_uri(path) == uri


@given(
    st.sampled_from(["gs://", "minio://", "s3://", "/mnt/", "relative/"]),
    st.text("abc/.", min_size=1),
)
def test_uris_come_back(scheme, rest):
    assert remote_uri(local_path(scheme + rest)) == scheme + rest


def test_only_uris_are_localized():
    artifact = {"name": "n", "uri": "gs://b/x", "metadata": {"current_model_uri": "gs://b/m"}}
    said = {
        "inputs": {
            "artifacts": {"m": {"artifacts": [artifact]}},
            "parameterValues": {"p": "gs://b/y"},
        },
        "outputs": {"outputFile": "gs://b/out.json"},
    }
    local = localize(said)
    assert local["inputs"]["artifacts"]["m"]["artifacts"] == [{**artifact, "uri": "/gcs/b/x"}]
    assert local["inputs"]["parameterValues"] == {"p": "gs://b/y"}
    assert local["outputs"] == {"artifacts": {}, "outputFile": "/gcs/b/out.json"}


CONFIG = json.dumps({"training": {"epochs": 3, "optimizer": {"rate": 0.1}}})


def test_parameters_get_to_their_places():
    values = {
        "custom_config": CONFIG,
        "custom_config.training.epochs": 5.0,
        "custom_config.training.optimizer.rate": 1.0,
        "other": 1,
    }
    inputs = {"parameterValues": values}
    set_parameters(inputs, {"custom_config.training.epochs"})
    text = inputs["parameterValues"].pop("custom_config")
    assert '"epochs": 5,' in text  # not 5.0, which no field of a config takes for a whole number
    assert json.loads(text) == {"training": {"epochs": 5, "optimizer": {"rate": 1.0}}}
    assert inputs["parameterValues"] == {"other": 1}


def test_parameters_of_spec_2_0():
    inputs = {
        "parameters": {
            "custom_config": {"stringValue": CONFIG},
            "custom_config.training.epochs": {"intValue": "5"},
        }
    }
    set_parameters(inputs, set())
    assert (
        json.loads(inputs["parameters"]["custom_config"]["stringValue"])["training"]["epochs"] == 5
    )


def test_a_place_that_is_not_there_is_refused():
    inputs = {"parameterValues": {"custom_config": CONFIG, "custom_config.training.epoch": 5}}
    with pytest.raises(KeyError, match=r"no training\.epoch"):
        set_parameters(inputs, set())


@pytest.mark.parametrize(
    ("cluster", "task", "suffix"),
    [
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 0}, ""),
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 1}, ".worker-1"),
        ({"chief": ["a:1"], "worker": ["b:1"]}, {"type": "chief", "index": 0}, ""),
        ({"chief": ["a:1"], "worker": ["b:1"]}, {"type": "worker", "index": 0}, ".worker-0"),
    ],
)
def test_one_of_several_workers_writes_the_output_file(monkeypatch, cluster, task, suffix):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert output_suffix() == suffix


def test_a_single_process_writes_it(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert output_suffix() == ""
