"""The files an ExampleGen reads, and the spans they belong to."""

import os
from typing import NamedTuple

from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.example_gen.config import WindowConfig
from components.example_gen.records import InputError
from components.example_gen.spans import find_spans, has_spans, window


class InputFile(NamedTuple):
    """A file's path, and the number of its span, None if the settings have no spans."""

    path: str
    span: int | None


def find_input_files(
    input_base: str, input_config: str, spans: WindowConfig | None
) -> list[InputFile]:
    """All files of the input patterns, sorted, so that examples always come in the same order.

    Args:
        input_base: the data folder.
        input_config: TFX's Input proto as JSON: what the driver made of the pattern, or the pattern itself
            where no driver was called (Kubeflow Pipelines calls none), whose spans are then resolved here.
        spans: the settings' window.

    Returns:
        The oldest span first.

    Raises:
        InputError: no file matches, or there is no span to read.
    """
    splits = proto_utils.json_to_proto(input_config, example_gen_pb2.Input()).splits
    if has_spans(splits[0].pattern):
        found = window(find_spans(input_base, splits[0].pattern), spans or WindowConfig())
        patterns = [(span.pattern, span.number if spans else None) for span in found]
    else:
        patterns = [
            (split.pattern, int(split.name.removeprefix("span-")) if spans else None)
            for split in splits
        ]
    return [
        InputFile(path, span)
        for pattern, span in patterns
        for path in _matching(input_base, pattern)
    ]


def _matching(input_base: str, pattern: str) -> list[str]:
    found = sorted(fileio.glob(os.path.join(input_base, pattern)))
    paths = [path for path in found if not fileio.isdir(path)]
    if not paths:
        raise InputError(
            f"no file matches {pattern!r} in {input_base}: correct the input folder or `pattern`"
        )
    return paths
