"""The component on a real, tiny GPT, served by the development server; and that server's own stubs."""

import functools

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
import tiny_gpt
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from components.serving_validator.questions import HOSTILE_TEXTS
from components.trainer.serving_files import write_serving_files
from components.trainer.warm_up import generator_requests
from models.gpt.export import export_generator
from models.language_model import GENERATOR_FOLDER, Gpt
from serving.process import ServerProcess

SIZE = {"max_sequence_length": 512}  # a long text takes fewer windows
PROMPTS = ["the heart", "", "Ünïcödé — 心臓 \U0001f600", "lungs " * 300, "\x00\x01"]
CHANCE = {"max_new_tokens": 6, "temperature": 0.9, "top_k": 20, "top_p": 0.9, "seed": 4}
TYPES = {
    "max_new_tokens": np.int32,
    "temperature": np.float32,
    "top_k": np.int32,
    "top_p": np.float32,
    "seed": np.int64,
}


@pytest.fixture(scope="module")
def generator():
    return tiny_gpt.make_generator(**SIZE)


@pytest.fixture(scope="module")
def model_uri(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    Gpt(generator).save(folder / "Format-Serving")
    write_serving_files(str(folder / "Format-Serving"), generator_requests(generator.config))
    return folder


@pytest.fixture(scope="module")
def ask(validate, write_examples, tmp_path_factory):
    """`validate` on some texts."""
    return functools.partial(
        validate,
        examples_uri=write_examples(tmp_path_factory.mktemp("examples"), tiny_gpt.TEXTS),
        num_examples=3,
        tolerance=1e-4,
        max_loading_seconds=120,
    )


def test_a_gpt_that_serves_what_it_learned_is_blessed(model_uri, ask, tmp_path):
    _, report = ask(model_uri, folder=tmp_path)
    assert report["reason"] == ""
    assert (tmp_path / "blessing" / "INFRA_BLESSED").exists()
    asked = {comparison["path"]: comparison["texts"] for comparison in report["comparisons"]}
    assert asked == {
        f"{transport} {question}, {what}": count
        for transport in ("gRPC", "REST")
        for question in ("score", "serving_default", "generate greedily", "generate by chance")
        for what, count in (("eval rows", 3), ("hostile texts", len(HOSTILE_TEXTS)))
    }


def test_a_gpt_that_serves_something_else_is_not_blessed(generator, ask, tmp_path):
    """The SavedModel's weights are not those that were kept beside it."""
    folder = tmp_path / "model" / "Format-Serving"
    generator.save(folder / GENERATOR_FOLDER)
    export_generator(tiny_gpt.make_generator(seed=2, **SIZE), str(folder))
    blessing, report = ask(tmp_path / "model", folder=tmp_path)
    assert (tmp_path / "blessing" / "INFRA_NOT_BLESSED").exists()
    assert "gRPC score, eval rows, text 'the heart fails': log-likelihood" in report["reason"]
    assert all(comparison["mismatches"] for comparison in report["comparisons"])
    assert blessing.get_string_custom_property("reason") == report["reason"]


def test_a_model_of_no_known_kind_is_a_reason(ask, tmp_path):
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    _, report = ask(tmp_path / "model", folder=tmp_path)
    assert not report["blessed"]


@pytest.fixture(scope="module")
def server(model_uri, tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    (base / "1").symlink_to(model_uri / "Format-Serving")
    with ServerProcess(base, "gpt") as process:
        yield process


def test_the_server_has_answered_the_warm_up_requests(server):
    """One short text, one that fills the context, and a full batch, for each of three signatures."""
    assert "Answered 9 warm-up requests" in server.log()


@pytest.fixture(scope="module")
def predict(server):
    """Asks over gRPC with TensorFlow Serving's own stub."""
    with grpc.insecure_channel(server.grpc_target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(signature, inputs):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = "gpt"
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                tensor = tf.make_tensor_proto(np.array(value, TYPES.get(name, object)))
                request.inputs[name].CopyFrom(tensor)
            response = stub.Predict(request, timeout=60)
            return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}

        yield ask


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_generate_over_grpc(predict, generator, temperature):
    settings = CHANCE | {"temperature": temperature}
    found = predict("generate", {"prompt": PROMPTS} | settings)
    assert [text.decode() for text in found["text"]] == generator.generate(PROMPTS, **settings)
    assert found["tokens"].max() == 6
    assert found["prompt_tokens"][1] == 0


def test_score_over_grpc(predict, generator):
    found, expected = predict("score", {"text": PROMPTS}), generator.score(PROMPTS)
    np.testing.assert_allclose(found["log_likelihood"], expected["log_likelihood"], rtol=1e-5)
    np.testing.assert_array_equal(found["bytes"], [len(text.encode()) for text in PROMPTS])


def test_impossible_settings_are_refused_over_grpc_with_a_sentence(predict):
    with pytest.raises(grpc.RpcError) as caught:
        predict("generate", {"prompt": PROMPTS} | CHANCE | {"top_p": 2.0})
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "top_p must be 1 (all tokens) or less" in caught.value.details()


@pytest.mark.parametrize("form", ["inputs", "instances"])
def test_generate_over_rest(server, generator, form):
    url = f"http://{server.rest_target}/v1/models/gpt:predict"
    body = {"inputs": {"prompt": PROMPTS} | CHANCE}
    if form == "instances":  # a value a row: each has a seed of its own
        body = {"instances": [{"prompt": prompt} | CHANCE for prompt in PROMPTS]}
    answer = httpx.post(url, json={"signature_name": "generate"} | body, timeout=60).json()
    if form == "inputs":
        assert answer["outputs"]["text"] == generator.generate(PROMPTS, **CHANCE)
    else:
        alone = [generator.generate([prompt], **CHANCE)[0] for prompt in PROMPTS]
        assert [row["text"] for row in answer["predictions"]] == alone
