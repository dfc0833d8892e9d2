"""The models that the conformance suite asks, and how to put them where a server finds them.

    python tests/serving/toy_models.py DIR [--as /models]

writes to DIR the models, `models.config` and `monitoring.config` for tensorflow_model_server's flags
of those names; `--as` is the path under which the server sees DIR.
"""

import argparse
import shutil
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

TOY, PAIR = "toy", "pair"
VERSION = 7  # of TOY
STABLE, CANARY = 1, 2  # versions of PAIR, which have these labels


def _strings(name):
    return tf.TensorSpec([None], tf.string, name=name)


def _floats(name):
    return tf.TensorSpec([None], tf.float32, name=name)


class ToyModel(tf.Module):
    """Signatures with every kind of input and output that the wire formats tell apart."""

    def __init__(self, offset: float = 0.0):
        super().__init__()
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[_strings("text")])
    def serving_text(self, text):
        """Two classes; the longer the text, the more "long"."""
        length = tf.cast(tf.strings.length(text, unit="UTF8_CHAR"), tf.float32) + self.offset
        probabilities = tf.nn.softmax(tf.stack([tf.fill(tf.shape(length), 10.0), length], -1))
        names = tf.constant(["short", "long"])
        return {
            "label": tf.gather(names, tf.argmax(probabilities, -1)),
            "probabilities": probabilities,
            "classes": tf.repeat(names[tf.newaxis], tf.shape(text)[0], 0),
        }

    def _of_examples(self, examples):
        features = {"text": tf.io.FixedLenFeature([], tf.string)}
        return self.serving_text(tf.io.parse_example(examples, features)["text"])

    @tf.function(input_signature=[_strings("examples")])
    def serving_default(self, examples):
        return self._of_examples(examples)

    @tf.function(input_signature=[_strings("inputs")])
    def heads(self, inputs):
        answer = self._of_examples(inputs)
        scores = answer["probabilities"]
        return {"classes": answer["classes"], "scores": scores, "outputs": scores[:, 1]}

    @tf.function(input_signature=[_strings("inputs")])
    def classify_flat(self, inputs):
        return {"classes": self._of_examples(inputs)["label"]}

    @tf.function(input_signature=[_strings("inputs")])
    def regress_wide(self, inputs):
        return {"outputs": self._of_examples(inputs)["probabilities"]}

    @tf.function(input_signature=[_floats("x")])
    def one_output(self, x):
        return {"y": x * 1.0}

    @tf.function(input_signature=[_strings("data")])
    def echo(self, data):
        return {"text": data, "raw_bytes": data}

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.float32, name="scale"),
            tf.TensorSpec([None], tf.int64, name="vector"),
            tf.TensorSpec([None, 2], tf.float64, name="matrix"),
        ]
    )
    def shapes(self, scale, vector, matrix):
        return {
            "total": tf.reduce_sum(vector),
            "matrix": matrix * tf.cast(scale, tf.float64),
            "positive": vector > 0,
        }

    @tf.function(input_signature=[_floats("a"), tf.TensorSpec([None, 2], tf.int32, name="b")])
    def rows(self, a, b):
        return {"sum": a + tf.cast(tf.reduce_sum(b, -1), tf.float32), "b": b}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def ragged(self, x):
        return {"sum": tf.reduce_sum(x, -1), "x": x, "size": tf.repeat(tf.size(x), tf.shape(x)[0])}

    @tf.function(input_signature=[_floats("x")])
    def half(self, x):
        return {"y": tf.cast(x, tf.float16)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="rounds")])
    def slow(self, rounds):
        """Multiplies matrices, so many times as the first row says."""
        matrix = tf.while_loop(
            lambda i, _: i < rounds[0],
            lambda i, m: (i + 1, tf.linalg.matmul(m, m) * 0.0),
            (tf.constant(0, tf.int64), tf.zeros([256, 256])),
        )[1]
        return {"y": tf.cast(rounds, tf.float32) + tf.reduce_sum(matrix)}


ALL_SIGNATURES = (
    *("serving_default", "serving_text", "heads", "classify_flat", "regress_wide", "one_output"),
    *("echo", "shapes", "rows", "ragged", "half", "slow"),
)
# What becomes of "heads": signatures of one input tensor, which TensorFlow 2 cannot export.
_OF_HEADS = {
    "classify": ("tensorflow/serving/classify", ("classes", "scores")),
    "classify_scores": ("tensorflow/serving/classify", ("scores",)),
    "regress": ("tensorflow/serving/regress", ("outputs",)),
}


def export_toy(
    base: Path, version: int, offset: float = 0.0, signatures=("serving_text", "serving_default")
) -> Path:
    """Puts a version into a model folder the way a push does: written beside, then renamed."""
    model = ToyModel(offset)
    beside = base / f"beside-{version}"
    tf.saved_model.save(
        model, str(beside), signatures={name: getattr(model, name) for name in signatures}
    )
    if "heads" in signatures:
        _part_heads(beside / "saved_model.pb")
    beside.rename(base / str(version))
    return base / str(version)


def _part_heads(file: Path) -> None:
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    defs = saved_model.meta_graphs[0].signature_def
    for name, (method, outputs) in _OF_HEADS.items():
        defs[name].CopyFrom(defs["heads"])
        defs[name].method_name = method
        for output in set(defs["heads"].outputs) - set(outputs):
            del defs[name].outputs[output]
    del defs["heads"]
    file.write_bytes(saved_model.SerializeToString())


def export_models(folder: Path, seen_as: str) -> None:
    """All that the suite needs; what is there already stays."""
    for name, version, offset, signatures in (
        (TOY, VERSION, 0.0, ALL_SIGNATURES),
        (PAIR, STABLE, 0.0, ("serving_text", "serving_default")),
        (PAIR, CANARY, 100.0, ("serving_text", "serving_default")),
    ):
        base = folder / name
        base.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(base / f"beside-{version}", ignore_errors=True)
        if not (base / str(version)).exists():
            export_toy(base, version, offset, signatures)
    (folder / "models.config").write_text(
        f"""model_config_list {{
  config {{ name: "{TOY}" base_path: "{seen_as}/{TOY}" model_platform: "tensorflow" }}
  config {{
    name: "{PAIR}"
    base_path: "{seen_as}/{PAIR}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: {STABLE} versions: {CANARY} }} }}
    version_labels {{ key: "stable" value: {STABLE} }}
    version_labels {{ key: "canary" value: {CANARY} }}
  }}
}}
"""
    )
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as", dest="seen_as", help="path of the folder for the server")
    arguments = parser.parse_args()
    export_models(arguments.folder, arguments.seen_as or str(arguments.folder.absolute()))
