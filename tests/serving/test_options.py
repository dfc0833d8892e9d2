"""What the flags switch on: batching, limits, deadlines, TLS, reloads, warm-up."""

import datetime
import gzip
import ipaddress
import json
import shutil
import time
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tensorflow_serving.apis import (
    model_management_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from serving.errors import ServingError

PREDICT = "/v1/models/toy:predict"


@pytest.fixture
def flags(models_folder):
    return {"model_base_path": str(models_folder / "toy"), "model_name": "toy"}


def predict_request(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def refusal(call, request, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=30, **options)
    return caught.value.code(), caught.value.details()


def wait_for_refusal(call):
    for _ in range(100):
        try:
            call()
        except grpc.RpcError as error:
            return error
        time.sleep(0.05)
    return pytest.fail("nothing was refused in 5 s")


def metric(target, name):
    page = target.get("/monitoring/prometheus/metrics").text
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in page.splitlines()
        if line.startswith(f":tensorflow:serving:{name}")
    )


def test_batches_are_made_filled_up_and_taken_apart_again(flags, serve, tmp_path):
    parameters = tmp_path / "batching.config"
    parameters.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 500000 }\n"
        "num_batch_threads { value: 2 } allowed_batch_sizes: 4 allowed_batch_sizes: 8\n"
        "max_enqueued_batches { value: 100 } pad_variable_length_inputs: true\n"
    )
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags |= {
        "enable_batching": True,
        "batching_parameters_file": str(parameters),
        "monitoring_config_file": str(monitoring),
    }
    with serve(**flags) as target, futures.ThreadPoolExecutor(16) as pool:

        def ask(width):
            # Two rows of so many ones; shorter rows of a batch get more of their first value.
            x = np.ones([2, width], np.float32)
            response = target.prediction.Predict(predict_request("ragged", x=x), timeout=30)
            return tf.make_ndarray(response.outputs["x"])

        answers = list(pool.map(ask, [1, 2, 3, 4] * 4))
        assert {answer.shape[0] for answer in answers} == {2}
        assert all((answer == 1).all() for answer in answers)
        assert max(answer.shape[1] for answer in answers[::4]) > 1  # it was padded
        assert metric(target, "batching_session:processed_batch_size_count") < 16
        assert metric(target, "batching_session:input_batch_size_sum") == 32

        padded = metric(target, "batching_session:padding_size_sum")
        alone = target.prediction.Predict(
            predict_request("one_output", x=np.array([5.0], np.float32)), timeout=30
        )
        assert list(alone.outputs["y"].float_val) == [5.0]  # run with three more rows
        assert metric(target, "batching_session:padding_size_sum") == padded + 3

        # An error in a batch is its author's only.
        good, bad = (
            pool.submit(target.prediction.Predict, predict_request("serving_default", examples=e))
            for e in ([b"\x0a\x0f\x0a\x0d\x0a\x04text\x12\x05\x0a\x03\x0a\x01a"], [b"no example"])
        )
        assert good.result().outputs["label"].string_val[0] == b"short"
        assert "Could not parse example input" in bad.exception().details()

        nine = predict_request("one_output", x=np.zeros([9], np.float32))
        assert refusal(target.prediction.Predict, nine) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "Task size 9 is larger than maximum input batch size 8",
        )
        scalars = predict_request(
            "shapes", scale=np.float32(1), vector=np.array([1]), matrix=np.ones([1, 2])
        )
        code, details = refusal(target.prediction.Predict, scalars)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details == "Batching Run() input tensors must have at least one dimension"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "must match max_batch_size; last e"),
        ("allowed_batch_sizes: 4 allowed_batch_sizes: 4", "must be monotonically increasing"),
        ("num_batch_threads { value: 0 }", "num_batch_threads must be positive"),
        ("batch_size: 8", 'no field named "batch_size"'),
    ],
)
def test_batching_parameters_that_make_no_sense(flags, serve, tmp_path, text, words):
    file = tmp_path / "batching.config"
    file.write_text(text)
    with (
        pytest.raises(ServingError, match=words),
        serve(**flags, enable_batching=True, batching_parameters_file=str(file)),
    ):
        pass


def test_limits_are_told_with_their_status(flags, serve):
    with serve(**flags, max_request_bytes=50_000, max_concurrent_requests=1) as target:
        big = {"signature_name": "echo", "inputs": ["x" * 60_000]}
        packed = gzip.compress(json.dumps(big).encode())
        for content, headers in (
            (json.dumps(big).encode(), {}),
            (packed, {"content-encoding": "gzip"}),
        ):
            response = target.post(PREDICT, content=content, headers=headers)
            assert response.status_code == 429
            assert "larger than 50000 bytes" in response.json()["error"]
        code, details = refusal(
            target.prediction.Predict, predict_request("echo", data=["x" * 60_000])
        )
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "50000" in details

        small = predict_request("one_output", x=np.zeros([1], np.float32))
        body = {"signature_name": "one_output", "inputs": [1]}
        # Only its deadline ends the run that takes the one place there is.
        endless = predict_request("slow", rounds=np.array([10**9]))
        under_way = target.prediction.Predict.future(endless, timeout=8)
        refused = wait_for_refusal(lambda: target.prediction.Predict(small, timeout=30))
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "try again later" in refused.details()
        assert target.post(PREDICT, json=body).status_code == 429
        assert under_way.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
        for _ in range(100):
            if target.post(PREDICT, json=body).status_code == 200:
                break
            time.sleep(0.1)
        assert target.post(PREDICT, json=body).status_code == 200


def test_gzipped_requests_are_unpacked(target):
    body = gzip.compress(json.dumps({"signature_name": "one_output", "inputs": [2]}).encode())
    headers = {"content-encoding": "gzip"}
    assert target.post(PREDICT, content=body, headers=headers).json() == {"outputs": [2.0]}
    for damaged in (body[:-3], b"no gzip"):
        response = target.post(PREDICT, content=damaged, headers=headers)
        assert response.status_code == 400
        assert "Failed to uncompress" in response.json()["error"]


@pytest.mark.parametrize("batching", [False, True])
def test_a_run_ends_at_its_deadline(flags, serve, batching):
    forever = 10**9
    with serve(**flags, rest_api_timeout_in_ms=300, enable_batching=batching) as target:
        response = target.post(PREDICT, json={"signature_name": "slow", "inputs": [forever]})
        assert response.status_code == 504
        assert response.json()["error"]
        with pytest.raises(grpc.RpcError) as caught:
            target.prediction.Predict(
                predict_request("slow", rounds=np.array([forever])), timeout=0.3
            )
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # Neither run goes on behind: there is room, on any number of cores.
        answer = target.post(PREDICT, json={"signature_name": "one_output", "inputs": [1]})
        assert answer.status_code == 200


def reload_request(*models):
    request = model_management_pb2.ReloadConfigRequest()
    for name, base, labels in models:
        config = request.config.model_config_list.config.add(
            name=name, base_path=str(base), model_platform="tensorflow"
        )
        config.model_version_policy.all.SetInParent()
        config.version_labels.update(labels)
    return request


def test_a_reload_over_grpc_changes_models_and_labels(flags, serve, models_folder):
    pair = models_folder / "pair"
    with serve(**flags) as target:
        answer = target.model.HandleReloadConfigRequest(
            reload_request(("toy", models_folder / "toy", {}), ("pair", pair, {})), timeout=30
        )
        assert (answer.status.error_code, answer.status.error_message) == (0, "")
        labelled = reload_request(("pair", pair, {"stable": 1, "canary": 2}))
        target.model.HandleReloadConfigRequest(labelled, timeout=30)
        body = {"signature_name": "serving_text", "instances": ["tiny"]}
        for label, answer in (("stable", "short"), ("canary", "long")):
            response = target.post(f"/v1/models/pair/labels/{label}:predict", json=body)
            assert response.json()["predictions"][0]["label"] == answer
        assert target.post(PREDICT, json=body).status_code == 404

        wrong = reload_request(("pair", pair, {"stable": 9}))
        code, details = refusal(target.model.HandleReloadConfigRequest, wrong)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "assign label to version 9" in details
        empty = model_management_pb2.ReloadConfigRequest()
        code, details = refusal(target.model.HandleReloadConfigRequest, empty)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "Only ModelConfigList is currently supported" in details


def test_the_configuration_file_is_read_again(serve, models_folder, tmp_path):
    file = tmp_path / "models.config"

    def write(labels):
        file.write_text(
            f'model_config_list {{ config {{ name: "pair" base_path: "{models_folder}/pair" '
            f'model_platform: "tensorflow" model_version_policy {{ all {{}} }} {labels} }} }}'
        )

    write("")
    with serve(model_config_file=str(file), model_config_file_poll_wait_seconds=0.1) as target:
        url = "/v1/models/pair/labels/stable/metadata"
        assert target.get(url).status_code == 400
        file.write_text("half a fi")  # is reported, and changes nothing
        time.sleep(0.3)
        assert target.get("/v1/models/pair").status_code == 200
        write('version_labels { key: "stable" value: 1 }')
        for _ in range(300):
            if target.get(url).status_code == 200:
                break
            time.sleep(0.1)
        assert target.get(url).json()["model_spec"]["version"] == "1"


def write_warmup(version_folder, *records):
    extra = version_folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for record in records:
            writer.write(record)


def predict_log(request):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    return log.SerializeToString()


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([predict_log(predict_request("serving_text", text=["a"]))], None),
        ([predict_log(predict_request("no_such", text=["a"]))], '"no_such" not found'),
        ([prediction_log_pb2.PredictionLog().SerializeToString()], "Unsupported log_type"),
        ([b"\xff\xff"], "Failed to parse warmup record"),
    ],
)
def test_a_version_must_answer_its_own_warm_up_requests(
    serve, models_folder, tmp_path, records, words
):
    shutil.copytree(models_folder / "pair" / "1", tmp_path / "1")
    write_warmup(tmp_path / "1", *records)
    flags = {"model_base_path": str(tmp_path), "max_num_load_retries": 0}
    if words is None:
        with serve(**flags) as target:
            assert target.get("/v1/models/default").status_code == 200
        return
    with pytest.raises(ServingError, match=words), serve(**flags):
        pass
    with serve(**flags, enable_model_warmup=False) as target:
        assert target.get("/v1/models/default").status_code == 200


def test_the_health_service_needs_its_package(flags, serve):
    try:
        import grpc_health.v1  # noqa: F401
    except ImportError:
        with (
            pytest.raises(ServingError, match="needs the package grpcio-health-checking"),
            serve(**flags, enable_grpc_healthcheck_service=True),
        ):
            pass


def certificate_for_loopback():
    """(key, certificate), as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_tls_with_and_without_the_clients_certificate(flags, serve, tmp_path):
    key, certificate = certificate_for_loopback()
    config = tmp_path / "ssl.config"

    def write(**fields):
        config.write_text("\n".join(f"{name}: {json.dumps(v)}" for name, v in fields.items()))

    def status(port_of, **credentials):
        channel = grpc.secure_channel(port_of.grpc_target, grpc.ssl_channel_credentials(
            root_certificates=certificate.encode(), **credentials
        ))  # fmt: skip
        with channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request = predict_request("one_output", x=np.array([1], np.float32))
            return list(stub.Predict(request, timeout=10).outputs["y"].float_val)

    write(server_key=key, server_cert=certificate)
    with serve(**flags, ssl_config_file=str(config)) as target:
        assert status(target) == [1.0]
        with pytest.raises(grpc.RpcError):
            target.prediction.Predict(predict_request("one_output"), timeout=5)  # no TLS
        assert target.get("/v1/models/toy").status_code == 200  # REST is as it was
    write(server_key=key, server_cert=certificate, custom_ca=certificate, client_verify=True)
    with serve(**flags, ssl_config_file=str(config)) as target:
        assert status(target, private_key=key.encode(), certificate_chain=certificate.encode()) == [
            1.0
        ]
        with pytest.raises(grpc.RpcError):
            status(target)
    write(server_cert=certificate)
    with (
        pytest.raises(ServingError, match="server_key and server_cert are both needed"),
        serve(**flags, ssl_config_file=str(config)),
    ):
        pass
