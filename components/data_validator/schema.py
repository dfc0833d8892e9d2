"""The curated schema: what the examples of an ExampleGen must look like."""

from collections.abc import Mapping, Sequence
from typing import Literal

from tensorflow_metadata.proto.v0 import schema_pb2

from models.config import TaskName

FeatureKind = Literal["bytes", "int64", "float", "bytes*"]
LABEL_KINDS: dict[TaskName, FeatureKind] = {
    "single_label": "bytes",
    "multi_label": "bytes*",
    "regression": "float",
}

_TYPES = {
    "bytes": schema_pb2.BYTES,
    "int64": schema_pb2.INT,
    "float": schema_pb2.FLOAT,
    "bytes*": schema_pb2.BYTES,
}


def build_schema(
    features: Mapping[str, FeatureKind],
    optional: Sequence[str] = (),
    classes: Sequence[str] | None = None,
) -> schema_pb2.Schema:
    """Writes down which features examples have.

    Args:
        features: kind by name; "bytes*" is any number of values, the others exactly one.
        optional: names of single-valued features that a row may lack.
        classes: the values `label` may take; left open by default.

    Returns:
        A schema for TFDV, Transform and TFMA.
    """
    schema = schema_pb2.Schema()
    for name, kind in sorted(features.items()):
        feature = schema.feature.add(name=name, type=_TYPES[kind])
        if kind == "bytes*" or name in optional:
            feature.presence.min_fraction = 0.0
            feature.value_count.min = 0 if kind == "bytes*" else 1
            if kind != "bytes*":
                feature.value_count.max = 1
        else:
            feature.presence.min_fraction = 1.0
            feature.shape.dim.extend([])
            feature.shape.SetInParent()
        if name == "label" and classes:
            feature.string_domain.value.extend(classes)
    return schema


def label_task(schema: schema_pb2.Schema) -> TaskName | None:
    """What the labels are learned as; None without labels."""
    label = next((feature for feature in schema.feature if feature.name == "label"), None)
    if label is None:
        return None
    if label.type == schema_pb2.FLOAT:
        return "regression"
    return "single_label" if label.presence.min_fraction else "multi_label"
