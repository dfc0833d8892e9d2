"""What the compiled pipelines hold."""

import copy
import importlib
import json
from pathlib import Path

import pytest
import yaml
from end_to_end_world import settings
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from kubeflow.compile import compile_line, write_ir
from kubeflow.local.ir import read_ir
from pipeline.config_loader import ConfigError, load_config, top_keys
from pipeline.configs import PipelineConfig
from pipeline.pretrain_config import MethodConfig, PretrainConfig, config_class

ROOT = Path(__file__).resolve().parents[2]
SPECS = ("2.0", "2.1")


def tasks(spec: dict) -> dict:
    return spec["root"]["dag"]["tasks"]


def container(spec: dict, step: str) -> dict:
    label = spec["components"][step]["executorLabel"]
    return spec["deploymentSpec"]["executors"][label]["container"]


@pytest.mark.parametrize("version", SPECS)
def test_kubeflow_pipelines_can_read_it(compiled, version, tmp_path):
    spec, _ = compiled(spec=version)
    assert spec["schemaVersion"] == f"{version}.0"
    message = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    assert message.pipeline_info.name == "tiny"
    assert message.default_pipeline_root == "gs://bucket/runs"
    write_ir({"pipelineSpec": spec}, {}, tmp_path / "p.yaml")
    write_ir({"pipelineSpec": spec, "displayName": "tiny"}, {}, tmp_path / "p.json")
    assert read_ir(tmp_path / "p.yaml") == read_ir(tmp_path / "p.json")


def test_the_client_of_kubeflow_pipelines_takes_it(compiled, tmp_path):
    from kfp.components import load_component_from_file

    spec, platform = compiled(steps={"Trainer": {"node_selector": {"a": "b"}}})
    write_ir({"pipelineSpec": spec}, platform, tmp_path / "p.yaml")
    loaded = load_component_from_file(str(tmp_path / "p.yaml"))
    assert set(loaded.pipeline_spec.root.dag.tasks) == set(tasks(spec))
    assert loaded.platform_spec.platforms["kubernetes"]


@pytest.mark.parametrize("version", SPECS)
def test_all_that_it_names_can_be_imported(compiled, version):
    spec, _ = compiled(spec=version)
    for step in tasks(spec):
        part = container(spec, step)
        assert part["command"] == ["python", "-m", "pipeline.container"]
        path = part["args"][part["args"].index("--executor_class_path") + 1]
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)
        for output in spec["components"][step]["outputDefinitions"]["artifacts"].values():
            module, _, name = yaml.safe_load(output["artifactType"]["instanceSchema"])[
                "title"
            ].rpartition(".")
            if module != "tfx":
                assert isinstance(getattr(importlib.import_module(module), name), type)


def test_nothing_of_this_machine_is_in_it(compiled):
    text = json.dumps(compiled())
    assert str(ROOT) not in text
    assert str(Path.home()) not in text
    assert "/nowhere" not in text  # the config's own paths, which are those of local runs


def test_no_step_needs_what_a_cluster_does_not_run(compiled):
    spec, _ = compiled()
    assert all("container" in e for e in spec["deploymentSpec"]["executors"].values())
    assert {"SchemaWriter", "Baseline", "ServingValidator"} <= set(tasks(spec))


def test_settings_of_the_run_are_its_parameters(compiled):
    spec, _ = compiled(parameters=["data", "training.epochs", "gate.min_accuracy"])
    assert spec["root"]["inputDefinitions"]["parameters"] == {
        "data": {"parameterType": "STRING", "defaultValue": "/mnt/data"},
        "training_epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 6},
        "gate_min_accuracy": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.8},
    }
    inputs = {name: tasks(spec)[name]["inputs"]["parameters"] for name in tasks(spec)}
    assert inputs["TextExampleGen"]["input_base"] == {"componentInputParameter": "data"}
    assert inputs["Trainer"]["custom_config.training.epochs"] == {
        "componentInputParameter": "training_epochs"
    }
    assert inputs["Evaluator"]["gate.min_accuracy"] == {
        "componentInputParameter": "gate_min_accuracy"
    }


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.max_length", r"model\.max_length cannot be set for each run; what can is data, tr"),
        ("training.epoch", r"custom_config\.training\.epoch is no setting"),
        ("training.optimizer", "only a number or a text"),
        ("training.batch_size", "is None; only a number or a text"),
    ],
)
def test_other_settings_are_not(compiled, key, message):
    with pytest.raises(ConfigError, match=message):
        compiled(parameters=[key])


STEP = {
    "cpu": 8,
    "memory_gb": 30.0,
    "accelerator": "nvidia.com/gpu",
    "accelerator_count": 2,
    "node_selector": {"gpu": "h100"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "retries": 3,
    "retry_seconds": 30,
    "timeout_seconds": 3600,
    "cache": False,
    "image": "registry.example/sciformer:gpu",
}


@pytest.mark.parametrize("version", SPECS)
def test_a_step_gets_what_the_config_says_and_others_do_not(compiled, version):
    spec, platform = compiled(spec=version, step={"cpu": 2}, steps={"Trainer": STEP})
    assert container(spec, "Trainer")["resources"] == {
        "cpuLimit": 8.0,
        "memoryLimit": 30.0,
        "accelerator": {"type": "nvidia.com/gpu", "count": "2"},
    }
    assert container(spec, "Trainer")["image"] == "registry.example/sciformer:gpu"
    assert container(spec, "Transform")["resources"] == {"cpuLimit": 2.0}
    assert container(spec, "Transform")["image"] == "registry.example/sciformer:1"
    trainer, transform = tasks(spec)["Trainer"], tasks(spec)["Transform"]
    assert trainer["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
    }
    assert "retryPolicy" not in transform
    assert "cachingOptions" not in trainer
    assert transform["cachingOptions"] == {"enableCache": True}
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors == {
        "Trainer_executor": {
            "nodeSelector": {"labels": {"gpu": "h100"}},
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "activeDeadlineSeconds": "3600",
        }
    }


def test_a_tpu_is_a_resource_and_a_node_selector(compiled):
    selector = {"cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice"}
    step = {"accelerator": "google.com/tpu", "accelerator_count": 4, "node_selector": selector}
    spec, platform = compiled(steps={"Trainer": step})
    accelerator = container(spec, "Trainer")["resources"]["accelerator"]
    assert accelerator == {"type": "google.com/tpu", "count": "4"}
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["Trainer_executor"]["nodeSelector"] == {"labels": selector}


def test_kubernetes_settings_are_those_of_kfp_kubernetes(compiled):
    """As far as the installed version has them: 1.0.0, of the older stack, lacks tolerations and more."""
    _, platform = compiled(
        steps={"Trainer": STEP},
        volumes=[{"claim": "data", "path": "/mnt"}],
        image_pull_secrets=["registry"],
    )
    message = kubernetes_executor_config_pb2.KubernetesExecutorConfig
    known = {field.json_name for field in message.DESCRIPTOR.fields}
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for config in executors.values():
        part = {key: value for key, value in config.items() if key in known}
        json_format.ParseDict(part, message())
        assert part["pvcMount"] == [{"constant": "data", "mountPath": "/mnt"}]
    assert {"nodeSelector", "pvcMount"} <= known


def test_an_unknown_step_is_refused(compiled):
    with pytest.raises(ConfigError, match=r"kubeflow\.steps\.Train: no such step; there is .*Tra"):
        compiled(steps={"Train": {"cpu": 1}})


def test_what_was_pushed_is_always_looked_at_anew(compiled):
    spec, _ = compiled()
    assert {name for name, task in tasks(spec).items() if "cachingOptions" not in task} == {
        "Baseline",
        "EarlierData",
    }


DATAFLOW = [
    "--runner=DataflowRunner",
    "--project=p",
    "--region=europe-west4",
    "--temp_location=gs://bucket/tmp",
]
BEAM_STEPS = {"TextExampleGen", "StatisticsGen", "Transform", "Evaluator"}


def test_remote_beam_workers_get_our_code(compiled):
    spec, _ = compiled(beam_args=DATAFLOW)
    for step in BEAM_STEPS:
        assert container(spec, step)["args"][-5:] == [*DATAFLOW, "--setup_file=/app/setup.py"]


def test_local_beam_workers_have_it(compiled):
    spec, _ = compiled(beam_args=["--direct_running_mode=multi_processing"])
    for step in BEAM_STEPS:
        assert container(spec, step)["args"][-1] == "--direct_running_mode=multi_processing"


def test_a_config_without_the_section_is_refused():
    config = PipelineConfig.model_validate(settings(Path("/nowhere")))
    with pytest.raises(ConfigError, match="kubeflow: the section is missing"):
        compile_line(config)


def test_weights_must_have_a_place_there(finetune_config):
    config = finetune_config()
    model = config.model.model_copy(update={"weights": "minilm_l6", "backbone": None})
    with pytest.raises(ConfigError, match=r"kubeflow\.weights: the key is missing"):
        compile_line(config.model_copy(update={"model": model}))


def lines() -> list:
    """All lines of our configs."""
    found = []
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        kind = config_class(top_keys(path))
        if issubclass(kind, PipelineConfig | PretrainConfig | MethodConfig):
            config = load_config(kind, path)
            parts = (
                [config.pretrain, config.finetune] if isinstance(config, MethodConfig) else [config]
            )
            found += [pytest.param(part, id=part.name) for part in parts]
    return found


@pytest.mark.parametrize("config", lines())
def test_every_line_of_our_configs_compiles(config, monkeypatch):
    from pipeline.kubeflow_config import KubeflowConfig

    monkeypatch.chdir(ROOT)  # the configs name files of the project, which are in the image
    section = {
        "image": "i",
        "pipeline_root": "gs://bucket/runs",
        "data": "/mnt/data",
        "serving": "/mnt/serving",
        "checkpoints": "/mnt/checkpoints",
    }
    model = config.model
    if model.weights or getattr(model, "pretrained", None):
        section["weights"] = "/mnt/weights"
    elif isinstance(config, PipelineConfig):
        section["vocabulary"] = "/mnt/vocab.txt"
    there = config.model_copy(update={"kubeflow": KubeflowConfig.model_validate(section)})
    before = copy.deepcopy(there)
    job, _ = compile_line(there)
    assert there == before
    json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    assert str(ROOT) not in json.dumps(job)


@pytest.mark.parametrize("version", SPECS)
def test_a_window_and_a_warm_start_are_found_anew_by_each_run(finetune_config, version):
    """No driver, which would know one span only; the training gets the stable model that is pushed."""
    line = finetune_config(spec=version).model_dump()
    line["data"]["text"] |= {"pattern": "{SPAN}/*.csv", "spans": {"window": 3}}
    line["model"] |= {"warm_start": True}
    job, _ = compile_line(PipelineConfig.model_validate(line))
    spec = job["pipelineSpec"]
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    assert "lifecycle" not in container(spec, "TextExampleGen")
    for step in ("TextExampleGen", "WarmStart", "Baseline"):
        assert "cachingOptions" not in tasks(spec)[step]
    assert tasks(spec)["Trainer"]["cachingOptions"] == {"enableCache": True}
    base = tasks(spec)["Trainer"]["inputs"]["artifacts"]["base_model"]["taskOutputArtifact"]
    assert base == {"producerTask": "WarmStart", "outputArtifactKey": "model"}
    assert "artifacts" not in tasks(spec)["WarmStart"].get("inputs", {})
    assert '"spans":{"window":3' in json.dumps(spec).replace(" ", "").replace("\\", "")
