"""Which test examples an encoder may have seen when it was pretrained."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tfx.dsl.io import fileio

from components.data_audit.config import Pretraining
from components.data_audit.report import PretrainingOverlap
from components.example_gen.files import open_bytes
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.held_out import HeldOut
from components.pretrain_example_gen.shards import document_keys

_MOST_KEYS = 20


def key_files(pretraining: Pretraining) -> list[str]:
    """The files that name the documents of the pretraining data.

    Raises:
        ValueError: there is none where the source says there are some.
    """
    if pretraining.source not in ("keys", "examples"):
        return []
    assert pretraining.path is not None  # of a source that is a file or folder
    pattern = pretraining.path
    if pretraining.source == "examples":
        pattern = os.path.join(pretraining.path, "Split-*", "*")
    found = sorted(fileio.glob(pattern))
    if not found:
        raise ValueError(f"audit: {pattern} should name the pretraining data: no such file")
    return found


def seen_keys(path: str, pretraining: Pretraining, keys: frozenset[bytes]) -> Iterator[bytes]:
    """Yields those of `keys` that are in one of `key_files`, some perhaps several times."""
    if pretraining.source == "examples":
        for rows in document_keys(path):
            yield from keys.intersection(np.unique(rows.values.numpy()).tolist())
    else:
        with open_bytes(path) as file:
            yield from keys.intersection(line.strip() for line in file)


def pretraining_overlap(
    pretraining: Pretraining, keys: Sequence[bytes], seen: Iterable[bytes]
) -> PretrainingOverlap:
    """What is known of the test examples.

    Args:
        pretraining: what is known of the pretraining data.
        keys: of the test examples.
        seen: those of them that are in `key_files`.
    """
    source, found = pretraining.source, set(seen)
    if source == "provenance":
        assert pretraining.path is not None  # of a source that is a file
        held_out = _held_out(pretraining.path)
        if held_out is None:
            source = "unknown"
        else:
            found = {key for key in keys if not _is_held_out(key, held_out)}
    looked_up = 0 if source in ("none", "unknown") else len(keys)
    return PretrainingOverlap(
        source=source,
        test_examples=looked_up,
        present=len(found),
        share=len(found) / max(1, looked_up),
        keys=tuple(key.decode() for key in sorted(found)[:_MOST_KEYS]),
    )


def _held_out(provenance: str) -> HeldOut | None:
    """What was left out, None if nothing was or the list of it is gone."""
    with fileio.open(provenance) as file:
        settings = json.load(file)["examples"]["config"]
    config = PretrainExamplesConfig.model_validate(settings)
    if config.held_out_keys and not fileio.exists(config.held_out_keys):
        return None
    return HeldOut(config)


def _is_held_out(key: bytes, held_out: HeldOut) -> bool:
    """Whether it is certain: no rule for numbers holds for another key."""
    try:
        return key in held_out
    except ValueError:
        return False
