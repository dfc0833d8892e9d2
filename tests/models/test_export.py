"""The SavedModel gives the classifier's answers, in both loaders and in a process of its own."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from models.export import export_classifier

TEXTS = [
    "heart failure",
    "",
    "Ünïcödé hëart — 心臓 [SEP] \u2011 \U0001f600",
    "the lungs. " * 40,  # longer than the model reads
]


@pytest.fixture(scope="module")
def exported(classifier, tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("export") / "1")

    def count_tokens(examples):
        texts = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
        return {"tokens": classifier.tokenizer(texts["text"]).row_lengths()}

    export_classifier(classifier, folder, {"count_tokens": count_tokens})
    return folder


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(exported).signatures


def serialized(texts) -> list[bytes]:
    examples = []
    for text in texts:
        example = tf.train.Example()
        example.features.feature["text"].bytes_list.value.append(text.encode())
        example.features.feature["year"].int64_list.value.append(1999)
        examples.append(example.SerializeToString())
    return examples


def check(answer, classifier, texts):
    """`answer`: numpy arrays by output name."""
    assert set(answer) == {"label", "probabilities", "classes"}
    expected = classifier.probabilities(texts)
    assert answer["probabilities"].dtype == np.float32
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    names = [name.encode() for name in classifier.classes]
    assert [list(row) for row in answer["classes"]] == [names] * len(texts)
    assert list(answer["label"]) == [names[i] for i in expected.argmax(axis=1)]


def as_numpy(answer):
    return {name: tensor.numpy() for name, tensor in answer.items()}


def test_has_the_signatures(signatures):
    arguments = {
        "serving_default": "examples",
        "serving_text": "text",
        "classify": "inputs",  # TensorFlow Serving's name
        "embed": "text",
    }
    assert set(signatures) == {*arguments, "count_tokens"}
    for name, argument in arguments.items():
        [spec] = signatures[name].structured_input_signature[1].values()
        assert (spec.name, spec.dtype, spec.shape.as_list()) == (argument, tf.string, [None])


def test_texts(signatures, classifier):
    check(as_numpy(signatures["serving_text"](text=tf.constant(TEXTS))), classifier, TEXTS)


def test_examples(signatures, classifier):
    answer = signatures["serving_default"](examples=tf.constant(serialized(TEXTS)))
    check(as_numpy(answer), classifier, TEXTS)


@pytest.mark.parametrize(
    "task",
    [
        {"task": "multi_label", "pairs": True},
        {"task": "regression", "classes": (), "target": {"mean": 5.0, "deviation": 2.0}},
    ],
)
def test_other_answers_and_pairs(make_classifier, task, tmp_path):
    classifier = make_classifier(**task)
    export_classifier(classifier, str(tmp_path / "1"))
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    columns = {"text": TEXTS} | ({"text_pair": TEXTS[::-1]} if classifier.config.pairs else {})
    expected = classifier.answers(*columns.values())
    examples = serialized(TEXTS)
    for row, example in enumerate(map(tf.train.Example.FromString, examples)):
        for name in columns.keys() - {"text"}:
            example.features.feature[name].bytes_list.value.append(columns[name][row].encode())
        examples[row] = example.SerializeToString()
    for answer in (
        signatures["serving_text"](**{name: tf.constant(c) for name, c in columns.items()}),
        signatures["serving_default"](examples=tf.constant(examples)),
    ):
        assert set(answer) == set(expected)
        for name, value in as_numpy(answer).items():
            if value.dtype == np.float32:
                np.testing.assert_allclose(value, expected[name], atol=1e-5)
            else:
                np.testing.assert_array_equal(value, expected[name])


def test_classes_and_scores(signatures, classifier):
    answer = as_numpy(signatures["classify"](inputs=tf.constant(serialized(TEXTS))))
    assert set(answer) == {"classes", "scores"}
    np.testing.assert_allclose(answer["scores"], classifier.probabilities(TEXTS), atol=1e-5)
    names = [name.encode() for name in classifier.classes]
    assert [list(row) for row in answer["classes"]] == [names] * len(TEXTS)


def test_embeddings(signatures, classifier):
    [(name, found)] = as_numpy(signatures["embed"](text=tf.constant(TEXTS))).items()
    assert (name, found.dtype, found.shape) == ("embedding", np.float32, (len(TEXTS), 8))
    np.testing.assert_allclose(found, classifier.embeddings(TEXTS), atol=1e-5)


def test_labels_are_not_all_the_same(signatures):
    texts = [a * 9 + b for a in ("heart ", "lung ", "the ", ". ") for b in ("s", "fail", "]")]
    labels = signatures["serving_text"](text=tf.constant(texts))["label"].numpy()
    assert len(set(labels)) > 1


def test_a_batch_of_64(signatures, classifier):
    texts = [f"heart {'fail ' * (i % 5)}" for i in range(64)]
    check(as_numpy(signatures["serving_text"](text=tf.constant(texts))), classifier, texts)


@pytest.mark.parametrize(
    ("name", "argument"), [("serving_text", "text"), ("serving_default", "examples")]
)
def test_an_empty_batch(signatures, name, argument):
    answer = as_numpy(signatures[name](**{argument: tf.constant([], tf.string)}))
    assert answer["probabilities"].shape == answer["classes"].shape == (0, 3)
    assert answer["label"].shape == (0,)


def test_further_signatures_are_written_too(signatures):
    answer = signatures["count_tokens"](examples=tf.constant(serialized(["heart failure"])))
    assert answer["tokens"].numpy().tolist() == [5]  # [CLS] heart fail ##ure [SEP]


def test_an_example_without_text_is_refused(signatures):
    empty = tf.train.Example().SerializeToString()
    with pytest.raises(tf.errors.InvalidArgumentError, match="text"):
        signatures["serving_default"](examples=tf.constant([empty]))


@pytest.mark.parametrize("name", ["serving_text", "serving_default"])
def test_loads_as_tensorflow_1_does(exported, classifier, name):
    """BulkInferrer's and TensorFlow Serving's way: a session, the main op, tensors by name."""
    inputs = TEXTS if name == "serving_text" else serialized(TEXTS)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], exported)
        signature = graph.signature_def[name]
        [argument] = signature.inputs.values()
        fetches = {key: tensor.name for key, tensor in signature.outputs.items()}
        answer = session.run(fetches, {argument.name: inputs})
    check(answer, classifier, TEXTS)


def test_holds_each_weight_once(exported, classifier, checkpoint_bytes):
    assert checkpoint_bytes(exported) == 4 * classifier.model.count_params()


def test_needs_nothing_of_ours(exported, classifier, tmp_path):
    program = """
import json, sys
import tensorflow as tf
import tensorflow_text
assert not {"keras_hub", "models"} & set(sys.modules)
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_text"]
print(json.dumps(signature(text=tf.constant(json.loads(sys.argv[2])))["probabilities"].numpy().tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, exported, json.dumps(TEXTS)],
        cwd=tmp_path,  # the project cannot be imported from here
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = np.array(json.loads(done.stdout.splitlines()[-1]))
    np.testing.assert_allclose(answer, classifier.probabilities(TEXTS), atol=1e-5)


def test_the_graph_fuses_what_follows_a_product(exported):
    # One pass over memory for bias, GELU, scale and mask; oneDNN's names, which other CPUs do not have.
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        loaded = tf1.saved_model.load(session, ["serve"], exported)
        signature = loaded.signature_def["serving_text"]
        metadata = tf1.RunMetadata()
        session.run(
            signature.outputs["probabilities"].name,
            {signature.inputs["text"].name: np.array([b"heart", b"the lungs fail"], object)},
            tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE),
            metadata,
        )
    nodes = [node for device in metadata.step_stats.dev_stats for node in device.node_stats]
    operations = " ".join(node.timeline_label for node in nodes)
    if "_Mkl" not in operations:
        pytest.skip("this TensorFlow runs without oneDNN")
    assert "FusedMatMul" in operations
    assert "FusedBatchMatMul" in operations
    assert "Erf(" not in operations
