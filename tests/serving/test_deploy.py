"""serving/deploy: valid against the schemas, in agreement with itself, with our flags and with our server."""

import copy
import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import deploy_schemas
import jsonschema
import kubernetes_validate
import pytest
import yaml

from serving import official_image
from serving.batching import BatchingParameters
from serving.config_files import read_batching_parameters, read_monitoring_config, read_ssl_config
from serving.flags import parse_flags
from serving.metrics import PATH as METRICS_PATH

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "serving" / "deploy"
KUSTOMIZED = ("kubernetes", "kserve")


def read(path: str):
    return yaml.safe_load((DEPLOY / path).read_text())


def resources(folder: str) -> dict[str, dict]:
    """What a folder's kustomization names there, by kind."""
    names = [name for name in read(f"{folder}/kustomization.yaml")["resources"] if name[0] != "."]
    return {resource["kind"]: resource for resource in (read(f"{folder}/{name}") for name in names)}


COMPOSED = read("compose.yaml")["services"]["model-server"]
POD = resources("kubernetes")["Deployment"]["spec"]["template"]
PREDICTOR = resources("kserve")["InferenceService"]["spec"]["predictor"]
PODS = {"kubernetes": POD["spec"], "kserve": PREDICTOR}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
MODEL = dict(
    line.split("=")
    for line in (DEPLOY / "settings/model.env").read_text().splitlines()
    if line[0] != "#"
)


MODEL_FOLDER = f"/models/{MODEL['MODEL_NAME']}"
ARGUMENTS = [word.replace("${MODEL_NAME}", MODEL["MODEL_NAME"]) for word in COMPOSED["command"]]
FLAGS = parse_flags(ARGUMENTS)


def field(resource, path: str):
    """The value at a kustomize field path, such as `spec.containers.[name=a].args.2`."""
    for part in re.findall(r"\[[^]]*\]|[^.]+", path):
        if part[0] == "[":
            key, value = part[1:-1].split("=")
            [resource] = [entry for entry in resource if entry[key] == value]
        else:
            resource = resource[int(part) if isinstance(resource, list) else part]
    return resource


def patched(resource: dict, patch: str) -> dict:
    """A resource after a JSON patch of `add` and `replace`."""
    resource = copy.deepcopy(resource)
    for step in yaml.safe_load(patch):
        *parts, last = [p.replace("~1", "/") for p in step["path"].split("/")[1:]]
        at = resource
        for part in parts:
            at = at[int(part)] if isinstance(at, list) else at[part]
        assert (last in at) == (step["op"] == "replace"), step
        at[last] = step["value"]
    return resource


def with_gpu() -> dict:
    [patch] = read("kubernetes_gpu/kustomization.yaml")["patches"]
    deployment = resources("kubernetes")["Deployment"]
    assert patch["target"] == {"kind": "Deployment", "name": deployment["metadata"]["name"]}
    return patched(deployment, patch["patch"])


@pytest.mark.parametrize("version", ["1.27", kubernetes_validate.latest_version()])
def test_kubernetes_takes_it(version):
    found = resources("kubernetes")
    assert set(found) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    for resource in [*found.values(), with_gpu()]:
        kubernetes_validate.validate(resource, version, strict=True)


def test_kubernetes_schema_refuses_what_is_misspelt():
    broken = copy.deepcopy(resources("kubernetes")["Deployment"])
    broken["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.30", strict=True)


def test_kserve_fields_are_documented_ones():
    service = resources("kserve")["InferenceService"]
    jsonschema.validate(service, deploy_schemas.INFERENCE_SERVICE)
    pod = {key: value for key, value in PREDICTOR.items() if key not in deploy_schemas.SCALING}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "predictor"}, "spec": pod}
    kubernetes_validate.validate(manifest, "1.30", strict=True)


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_fields_are_documented_ones(name):
    jsonschema.validate(read(name), deploy_schemas.COMPOSE)


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_every_file_is_in_the_kustomization(folder):
    named = set(read(f"{folder}/kustomization.yaml")["resources"])
    assert named == {"../settings"} | {
        path.name for path in (DEPLOY / folder).iterdir() if path.name != "kustomization.yaml"
    }
    generated = read("settings/kustomization.yaml")["configMapGenerator"]
    files = [name for one in generated for name in [*one.get("files", ()), *one.get("envs", ())]]
    assert {*files, "kustomization.yaml"} == {path.name for path in (DEPLOY / "settings").iterdir()}


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_the_model_is_told_in_one_place(folder):
    """Each replacement has its source and its targets, which hold the same value already."""
    names = [one["name"] for one in read("settings/kustomization.yaml")["configMapGenerator"]]
    replaced = set()
    for replacement in read(f"{folder}/kustomization.yaml")["replacements"]:
        source = replacement["source"]
        assert source["name"] in names
        value = field({"data": MODEL}, source["fieldPath"])
        for target in replacement["targets"]:
            resource = resources(folder)[target["select"]["kind"]]
            assert resource["metadata"]["name"] == target["select"]["name"]
            for path in target["fieldPaths"]:
                found = field(resource, path)
                if options := target.get("options"):
                    found = found.split(options["delimiter"])[options["index"]]
                assert found == value
                replaced.add(path.split(".")[-1])
    assert replaced == {"path", "2", "mountPath", "claimName", "subPath"}
    assert MODEL["FOLDER"].split("/")[-1] == MODEL["MODEL_NAME"]  # as components/pusher names it
    text = "".join(path.read_text() for path in (DEPLOY / folder).iterdir())
    # Three probes, an argument, mount and folder (which ends with the name), the claim: nowhere else.
    assert len(re.findall(f"{MODEL['MODEL_NAME']}|{MODEL['CLAIM']}", text)) == 7


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here")
@pytest.mark.parametrize("folder", ["kubernetes", "kubernetes_gpu", "kserve"])
def test_kubectl_renders_another_model(folder, tmp_path):
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    settings = "MODEL_NAME=other\nCLAIM=disk\nFOLDER=a/b\n"
    (tmp_path / "deploy" / "settings" / "model.env").write_text(settings)
    command = ["kubectl", "kustomize", str(tmp_path / "deploy" / folder)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert not re.search(f"{MODEL['MODEL_NAME']}|{MODEL['CLAIM']}", text)
    assert len(re.findall(r"path: /v1/models/other(?:/metadata)?\n", text)) == 3
    assert "claimName: disk\n" in text
    assert "subPath: a/b\n" in text
    assert "mountPath: /models/other\n" in text
    assert "--model_config_file=/models/other/models.config\n" in text


def test_one_image_pinned_and_the_same_everywhere():
    """And ServingValidator's; no document names another, nor one that moves."""
    image = f"tensorflow/serving:{official_image.TAG}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", official_image.TAG)
    assert {COMPOSED["image"], *(container["image"] for container in CONTAINERS.values())} == {
        image
    }
    gpu = read("compose.gpu.yaml")["services"]["model-server"]["image"]
    [change] = read("kubernetes_gpu/kustomization.yaml")["images"]
    assert f"{change['name']}:{change['newTag']}" == gpu == f"{image}-gpu"
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = path.read_text()
        assert set(re.findall(r"tensorflow/serving:\w[\w.-]*\w", text)) <= {image, gpu}, path


def test_all_start_the_same_server():
    commands = [container["command"] for container in CONTAINERS.values()]
    assert [*commands, COMPOSED["entrypoint"]] == [["tensorflow_model_server"]] * 3
    assert [container["args"] for container in CONTAINERS.values()] == [ARGUMENTS] * 2


def test_ports():
    assert (FLAGS.port, FLAGS.rest_api_port) == (8500, 8501)  # TensorFlow Serving's own
    assert COMPOSED["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    names = {port["name"]: port["containerPort"] for port in CONTAINERS["kubernetes"]["ports"]}
    assert names == {"grpc": FLAGS.port, "rest": FLAGS.rest_api_port}
    service = resources("kubernetes")["Service"]["spec"]["ports"]
    assert {port["port"]: names[port["targetPort"]] for port in service} == {8500: 8500, 8501: 8501}
    assert [port["containerPort"] for port in PREDICTOR["containers"][0]["ports"]] == [8501]
    for pod_port in ("rest", 8501):
        probed = [c[p]["httpGet"]["port"] for c in CONTAINERS.values() for p in probes(c)]
        assert pod_port in probed
    assert set(probed) == {"rest", 8501}


def probes(container: dict) -> list[str]:
    return [key for key in container if key.endswith("Probe")]


def test_the_autoscaler_and_its_neighbours_mean_the_deployment():
    found = resources("kubernetes")
    deployment = found["Deployment"]
    target = found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"], target["name"]) == (
        deployment["apiVersion"],
        deployment["kind"],
        deployment["metadata"]["name"],
    )
    assert "replicas" not in deployment["spec"]  # or each apply would undo what the autoscaler did
    labels = POD["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    scaler = found["HorizontalPodAutoscaler"]["spec"]
    [metric] = scaler["metrics"]
    assert {key: PREDICTOR[key] for key in ("minReplicas", "maxReplicas", "scaleTarget")} == {
        "minReplicas": scaler["minReplicas"],
        "maxReplicas": scaler["maxReplicas"],
        "scaleTarget": metric["resource"]["target"]["averageUtilization"],
    }


def test_models_are_read_only_and_the_server_is_nobody():
    mounts = {mount["target"]: mount for mount in COMPOSED["volumes"]}
    assert {target: mount["read_only"] for target, mount in mounts.items()} == {
        "/models/${MODEL_NAME}": True,
        "/settings": True,
    }
    assert (COMPOSED["read_only"], COMPOSED["user"]) == (True, "65534:65534")
    for name, container in CONTAINERS.items():
        mounted = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert mounted[MODEL_FOLDER]["readOnly"]
        assert mounted["/settings"]["readOnly"]
        volumes = {volume["name"]: volume for volume in PODS[name]["volumes"]}
        assert set(volumes) == {mount["name"] for mount in mounted.values()}
        assert volumes[mounted[MODEL_FOLDER]["name"]]["persistentVolumeClaim"]["readOnly"]
        settings = volumes[mounted["/settings"]["name"]]["configMap"]["name"]
        [generated] = [
            one
            for one in read("settings/kustomization.yaml")["configMapGenerator"]
            if one["name"] == settings
        ]
        assert {f"/settings/{file}" for file in generated["files"]} == {
            FLAGS.batching_parameters_file,
            FLAGS.monitoring_config_file,
        }
        security = PODS[name]["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 65534)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_threads_are_those_of_the_limit():
    """A server counts the cores of its node; what it may use is the limit."""
    batching = BatchingParameters.from_proto(
        read_batching_parameters(str(DEPLOY / "settings" / "batching_parameters.txt")), 0
    )
    limits = [container["resources"]["limits"]["cpu"] for container in CONTAINERS.values()]
    for limit in [*limits, COMPOSED["deploy"]["resources"]["limits"]["cpus"]]:
        assert int(limit) == batching.num_batch_threads == FLAGS.tensorflow_intra_op_parallelism
    assert FLAGS.tensorflow_inter_op_parallelism == batching.num_batch_threads


def test_metrics_are_where_prometheus_is_told_to_look():
    monitoring = read_monitoring_config(str(DEPLOY / "settings" / "monitoring.config"))
    assert monitoring.prometheus_config.enable
    for annotations in (POD["metadata"]["annotations"], PREDICTOR["annotations"]):
        assert (
            annotations["prometheus.io/path"] == monitoring.prometheus_config.path == METRICS_PATH
        )
        assert annotations["prometheus.io/port"] == str(FLAGS.rest_api_port)


@pytest.fixture(scope="module")
def deployed(serve, models_folder, tmp_path_factory):
    """The development server with the deployments' own flags, paths and ports being other ones."""
    folder = tmp_path_factory.mktemp("deployed")
    shutil.copytree(models_folder / "pair" / "1", folder / "1")
    (folder / "models.config").write_text(
        f'model_config_list {{ config {{ name: "{MODEL["MODEL_NAME"]}" base_path: "{folder}" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 1 } } }'
    )
    moved = [argument.replace("=/settings/", f"={DEPLOY}/settings/") for argument in ARGUMENTS]
    moved = [argument.replace(f"={MODEL_FOLDER}/", f"={folder}/") for argument in moved]
    flags = dataclasses.asdict(parse_flags(moved))
    del flags["port"], flags["rest_api_port"]
    with serve(**flags) as target:
        yield target


def test_probes_and_metrics_answer(deployed):
    for container in CONTAINERS.values():
        assert sorted(probes(container)) == ["livenessProbe", "readinessProbe", "startupProbe"]
        for probe in probes(container):
            path = container[probe]["httpGet"]["path"]
            assert deployed.get(path).status_code == 200, path
            assert deployed.get(path.replace(MODEL["MODEL_NAME"], "other")).status_code == 404
    assert ":tensorflow:serving:request_count" in deployed.get(METRICS_PATH).text
    assert (
        deployed.get(f"/v1/models/{MODEL['MODEL_NAME']}/labels/stable/metadata").status_code == 200
    )


@pytest.mark.parametrize(("name", "is_healthy"), [(MODEL["MODEL_NAME"], True), ("other", False)])
def test_the_health_check_of_compose(deployed, name, is_healthy):
    kind, *command = COMPOSED["healthcheck"]["test"]
    assert kind == "CMD"
    port = deployed.rest.rsplit(":", 1)[1]
    command = [word.replace("$$", "$").replace("/8501", f"/{port}") for word in command]
    done = subprocess.run(command, env={"MODEL_NAME": name}, timeout=60, capture_output=True)
    assert (done.returncode == 0) == is_healthy, done.stderr


def test_the_documented_tls_lines_keep_key_and_certificate(tmp_path):
    keys = {"tls.key": "-----BEGIN PRIVATE KEY-----\nMIIE+/=\n-----END PRIVATE KEY-----\n"}
    keys["tls.crt"] = keys["tls.key"].replace("PRIVATE KEY", "CERTIFICATE") * 2  # a chain
    for name, text in keys.items():
        (tmp_path / name).write_text(text)
    [block] = re.findall(
        r"```sh\n(line.*?)```", (ROOT / "docs" / "deploy.md").read_text(), re.DOTALL
    )
    here = "".join(line for line in block.splitlines(True) if not line.startswith("kubectl "))
    subprocess.run(["bash", "-ec", here], cwd=tmp_path, check=True)
    config = read_ssl_config(str(tmp_path / "ssl.config"))
    assert {"tls.key": config.server_key, "tls.crt": config.server_cert} == keys


def test_paths_that_the_documents_name_exist():
    for name in ("deploy.md", "sizing.md"):
        for path in re.findall(r"serving/deploy(?:/[\w.]+)*", (ROOT / "docs" / name).read_text()):
            assert (ROOT / path).exists(), f"{name}: {path}"
