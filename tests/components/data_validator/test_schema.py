"""The curated schema asks for what the ExampleGens write."""

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.data_validator.schema import build_schema

FEATURES = {"text": "bytes", "label": "bytes", "year": "int64", "dose": "float", "mesh": "bytes*"}


def anomalies(schema: schema_pb2.Schema, rows: list[dict], tmp_path) -> dict[str, str]:
    path = str(tmp_path / "rows")
    with tf.io.TFRecordWriter(path) as writer:
        for row in rows:
            example = tf.train.Example()
            for name, values in row.items():
                feature = example.features.feature[name]
                if isinstance(values[0], str):
                    feature.bytes_list.value.extend(value.encode() for value in values)
                elif isinstance(values[0], int):
                    feature.int64_list.value.extend(values)
                else:
                    feature.float_list.value.extend(values)
            writer.write(example.SerializeToString())
    statistics = tfdv.generate_statistics_from_tfrecord(path)
    found = tfdv.validate_statistics(statistics, schema).anomaly_info
    return {name: info.short_description for name, info in found.items()}


def row(**changes) -> dict:
    full = {"text": ["t"], "label": ["a"], "year": [1999], "dose": [0.5], "mesh": ["D1", "D2"]}
    merged = full | changes
    return {name: values for name, values in merged.items() if values}


@pytest.mark.parametrize(
    ("changes", "anomalous"),
    [
        ({}, set()),
        ({"mesh": []}, set()),
        ({"year": []}, set()),
        ({"year": [1999, 2000]}, {"year"}),
        ({"text": []}, {"text"}),
        ({"text": ["one", "two"]}, {"text"}),
        ({"label": ["c"]}, {"label"}),
    ],
)
def test_rows_are_held_to_the_schema(tmp_path, changes, anomalous):
    schema = build_schema(FEATURES, optional=["year"], classes=["a", "b"])
    found = anomalies(schema, [row(), row(mesh=["D3"]), row(**changes)], tmp_path)
    assert set(found) == anomalous, found


def test_without_classes_any_label_is_allowed(tmp_path):
    assert anomalies(build_schema(FEATURES), [row(label=["c"])], tmp_path) == {}


def test_equal_features_make_equal_schemas():
    backwards = dict(reversed(FEATURES.items()))
    first, second = build_schema(FEATURES), build_schema(backwards)
    assert first.SerializeToString() == second.SerializeToString()
