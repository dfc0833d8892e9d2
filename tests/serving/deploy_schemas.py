"""What the compose specification and KServe's v1beta1 document of the fields that serving/deploy uses.

Their own schemas are in no installed package. These know the fields used, their types and closed sets of
values, and refuse every other; they do not know what else those formats allow. Sources: the chapters services
and deploy of the compose specification, and PredictorSpec in KServe's API reference. The rest of a predictor
is a PodSpec, which Kubernetes' own schema judges.
"""

from typing import Any

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
DURATION = {"type": "string", "pattern": "^([0-9]+(us|ms|s|m|h))+$"}
BYTES = {"type": "string", "pattern": "^[0-9]+(b|k|m|g|kb|mb|gb|K|M|G)$"}


def closed(required: tuple[str, ...] = (), /, **fields: Any) -> dict[str, Any]:
    """An object with these fields and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def many(of: dict[str, Any]) -> dict[str, Any]:
    """A list with at least one entry."""
    return {"type": "array", "items": of, "minItems": 1}


_MOUNT = closed(
    ("type", "source", "target"),
    type={"enum": ["bind", "volume", "tmpfs", "cluster", "npipe", "image"]},
    source=TEXT,
    target={"type": "string", "pattern": "^/"},
    read_only={"type": "boolean"},
    bind=closed(create_host_path={"type": "boolean"}),
)
_DEVICE = closed(("capabilities",), driver=TEXT, count=COUNT, capabilities=many(TEXT))
_RESOURCES = closed(
    limits=closed(cpus={"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}, memory=BYTES),
    reservations=closed(devices=many(_DEVICE)),
)
_SERVICE = closed(
    ("image",),
    image=TEXT,
    entrypoint=many(TEXT),
    command=many(TEXT),
    environment={"type": "object", "additionalProperties": TEXT},
    ports=many({"type": "string", "pattern": r"^([0-9.]+:)?[0-9]+:[0-9]+$"}),
    volumes=many(_MOUNT),
    user={"type": "string", "pattern": "^[0-9]+:[0-9]+$"},
    read_only={"type": "boolean"},
    tmpfs=many({"type": "string", "pattern": "^/"}),
    cap_drop=many(TEXT),
    security_opt=many(TEXT),
    deploy=closed(resources=_RESOURCES),
    healthcheck=closed(
        ("test",),
        test=many(TEXT),
        interval=DURATION,
        timeout=DURATION,
        start_period=DURATION,
        retries=COUNT,
    ),
    restart={"enum": ["no", "always", "on-failure", "unless-stopped"]},
)
COMPOSE = closed(
    ("services",),
    name={"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
    services={"type": "object", "additionalProperties": _SERVICE, "minProperties": 1},
)

# Of a predictor, what is KServe's own; the rest is a PodSpec.
SCALING = {
    "minReplicas": COUNT,
    "maxReplicas": COUNT,
    "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]},
    "scaleTarget": {"type": "integer", "minimum": 1},
    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
}
INFERENCE_SERVICE = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "serving.kserve.io/v1beta1"},
    kind={"const": "InferenceService"},
    metadata=closed(
        ("name",),
        name={"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"},
        annotations={"type": "object", "additionalProperties": {"type": "string"}},
    ),
    spec=closed(
        ("predictor",),
        predictor={"type": "object", "properties": SCALING, "required": ["containers"]},
    ),
)
