"""Configs with a section for the cluster, whose paths exist nowhere; a server that stands in for one."""

import http.server
import json
import threading
from pathlib import Path

import pytest
import yaml
from end_to_end_world import settings

SECTION = {
    "image": "registry.example/sciformer:1",
    "pipeline_root": "gs://bucket/runs",
    "data": "/mnt/data",
    "vocabulary": "/mnt/vocab.txt",
    "serving": "/mnt/serving",
    "checkpoints": "/mnt/checkpoints",
}


@pytest.fixture(scope="session")
def finetune_config():
    """A function of changes to the section: a config of the tiny fine-tuning line."""
    from pipeline.configs import PipelineConfig

    def make(**changes):
        return PipelineConfig.model_validate(settings(Path("/nowhere"), kubeflow=SECTION | changes))

    return make


@pytest.fixture(scope="session")
def compiled(finetune_config):
    """A function of changes to the section: the PipelineSpec and the PlatformSpec."""
    from kubeflow.compile import compile_line

    def make(**changes):
        job, platform = compile_line(finetune_config(**changes))
        return job["pipelineSpec"], platform

    return make


@pytest.fixture
def write_pipeline(tmp_path):
    """A function that writes a PipelineSpec of steps that run Python texts.

    A step is `{"code": …, "inputs": {key: (step, key)}, "outputs": [key, …], **fields of its task}`; its code
    finds the ExecutorInput in `said` and calls `tell({key: metadata})` to describe its outputs.
    """

    def write(steps: dict, parameters: dict | None = None) -> Path:
        spec = {
            "pipelineInfo": {"name": "p"},
            "schemaVersion": "2.1.0",
            "defaultPipelineRoot": str(tmp_path / "root"),
            "root": {
                "dag": {"tasks": {name: _task(name, step) for name, step in steps.items()}},
                "inputDefinitions": {"parameters": parameters or {}},
            },
            "components": {name: _component(name, step) for name, step in steps.items()},
            "deploymentSpec": {
                "executors": {name: {"container": _container(step)} for name, step in steps.items()}
            },
        }
        seconds = {
            name: {"activeDeadlineSeconds": str(step["seconds"])}
            for name, step in steps.items()
            if "seconds" in step
        }
        platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": seconds}}}}
        path = tmp_path / "pipeline.yaml"
        path.write_text(yaml.safe_dump_all([spec, platform]))
        return path

    return write


PRELUDE = """
import json, pathlib, sys
said = json.loads(sys.argv[1])
def read(key):
    return pathlib.Path(said["inputs"]["artifacts"][key]["artifacts"][0]["uri"], "x").read_text()
def write(key, text):
    folder = pathlib.Path(said["outputs"]["artifacts"][key]["artifacts"][0]["uri"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x").write_text(text)
def tell(metadata):
    artifacts = {key: {"artifacts": [{"metadata": value}]} for key, value in metadata.items()}
    pathlib.Path(said["outputs"]["outputFile"]).write_text(json.dumps({"artifacts": artifacts}))
tell({})
"""
TYPE = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
OWN_FIELDS = {"code", "hook", "inputs", "outputs", "seconds", "parameters"}


def _task(name: str, step: dict) -> dict:
    artifacts = {
        key: {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": output}}
        for key, (producer, output) in step.get("inputs", {}).items()
    }
    return {
        "taskInfo": {"name": name},
        "componentRef": {"name": name},
        "inputs": {"artifacts": artifacts, "parameters": step.get("parameters", {})},
        **{key: value for key, value in step.items() if key not in OWN_FIELDS},
    }


def _component(name: str, step: dict) -> dict:
    outputs = {key: {"artifactType": TYPE} for key in step.get("outputs", ())}
    return {"executorLabel": name, "outputDefinitions": {"artifacts": outputs}}


def _container(step: dict) -> dict:
    container = {
        "image": "i",
        "command": ["python", "-c", PRELUDE + step["code"]],
        "args": ["{{$}}"],
    }
    if "hook" in step:
        hook = {"command": ["python", "-c", PRELUDE + step["hook"]], "args": ["{{$}}"]}
        container["lifecycle"] = {"preCacheCheck": hook}
    return container


@pytest.fixture(scope="session")
def serve_json():
    """A function of two functions, of a GET's path and of a POST's path and JSON, that give the JSON of the
    answer: starts a server, and returns its address.
    """
    servers = []

    def start(get, post) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(get(self.path))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(post(self.path, body))

            def _answer(self, content: dict) -> None:
                text = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
