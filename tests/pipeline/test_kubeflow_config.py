"""The section of a config that says how a line runs on a cluster."""

import pydantic
import pytest

from pipeline.kubeflow_config import KubeflowConfig

PLACES = {
    "image": "i",
    "pipeline_root": "gs://b",
    "data": "/d",
    "serving": "/s",
    "checkpoints": "/c",
}

VERTEX = {"count": 2, "vertex": {"project": "p", "region": "europe-west4"}}


def make(**changes: object) -> KubeflowConfig:
    return KubeflowConfig.model_validate(PLACES | changes)


def test_a_step_has_its_own_settings_and_else_those_of_all():
    config = make(step={"cpu": 2, "retries": 1}, steps={"Trainer": {"cpu": 8}})
    assert (config.of_step("Trainer").cpu, config.of_step("Trainer").retries) == (8, 1)
    assert config.of_step("Pusher") == config.step


def test_a_step_can_take_back_what_all_have():
    config = make(step={"retries": 2, "cache": False}, steps={"Pusher": {"retries": 0}})
    assert (config.of_step("Pusher").retries, config.of_step("Pusher").cache) == (0, False)


@pytest.mark.parametrize(
    ("args", "added"),
    [
        (["--runner=FlinkRunner"], ["--setup_file=/app/setup.py"]),
        (["--runner=SparkRunner", "--setup_file=/x/setup.py"], []),
        (["--runner=spark"], ["--setup_file=/app/setup.py"]),
        (["--runner=DirectRunner"], []),
        ([], []),
    ],
)
def test_remote_runners_get_the_setup_file(args, added):
    assert list(make(beam_args=args).all_beam_args) == args + added


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": {"tolerations": [{"key": "a"}]}}, "Equal needs a value"),
        ({"step": {"cpu": 0}}, "greater than 0"),
        ({"volumes": [{"claim": "c", "path": "mnt"}]}, "pattern"),
        ({"spec": "2.2"}, "'2.0' or '2.1'"),
        ({"workers": {"count": 2, "shared": "/mnt/x"}}, "there are none"),
        ({"workers": {"count": 2}}, "either shared .* or vertex"),
        ({"workers": VERTEX, "checkpoints": "/mnt/c"}, "checkpoints /mnt/c: .* below /gcs/"),
        ({"workers": VERTEX, "pipeline_root": "s3://b"}, "pipeline_root s3://b: .* gs://"),
        ({"beam_args": ["--runner=Flinkrunner2"]}, "did you mean FlinkRunner"),
        (
            {
                "workers": {"count": 2, "shared": "/mnt2/x"},
                "volumes": [{"claim": "c", "path": "/mnt"}],
            },
            r"on none of the volumes \(/mnt/\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        make(**changes)
