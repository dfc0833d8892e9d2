"""The predictions artifact."""

import os
from typing import Literal

from tfx.dsl.io import fileio
from tfx.types import artifact

from components.artifact_file import write_artifact_file
from models.config import Config

PREFIX = "predictions"
Format = Literal["jsonl", "parquet"]
_KEYS_FILE = "keys.json"


class Predictions(artifact.Artifact):
    """Folder with `predictions-*`, JSON Lines or Parquet, and `keys.json` (RepeatedKeys)."""

    # One dot and no PROPERTIES: what Kubeflow Pipelines v2 accepts and can import again.
    TYPE_NAME = "components.Predictions"


class RepeatedKeys(Config):
    """How many keys name several rows, and how many rows those are."""

    keys: int
    rows: int


def write_keys(repeated: RepeatedKeys, uri: str) -> None:
    """Writes `keys.json` into the artifact's folder, whole or not at all."""
    write_artifact_file(os.path.join(uri, _KEYS_FILE), repeated.model_dump_json() + "\n")


def read_keys(uri: str) -> RepeatedKeys:
    """Reads an artifact's `keys.json`."""
    with fileio.open(os.path.join(uri, _KEYS_FILE)) as file:
        return RepeatedKeys.model_validate_json(file.read())
