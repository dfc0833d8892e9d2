"""What a batch of texts is read with: the line's readers, told from the files, without labels."""

import dataclasses
import glob
import os
from collections.abc import Sequence

from components.example_gen.config import SplitConfig
from components.medline_example_gen.config import MedlineConfig
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import format_of_name
from pipeline.configs import DataConfig

_MEDLINE_SUFFIXES = (".xml", ".xml.gz")
# What a config's reader says of the texts; the rest is about labels, slices and splits.
_MEDLINE_KEYS = {"text_fields", "require_abstract", "max_text_bytes"}
_TEXT_KEYS = {
    *("format", "delimiter", "text_column", "second_text_column", "key_column", "max_text_bytes")
}


class BatchInputError(Exception):
    """There is nothing that could be read."""


@dataclasses.dataclass(frozen=True)
class BatchInput:
    """Files of one kind.

    Attributes:
        folder: absolute path of what the reader's `pattern` is relative to.
        reader: settings.
    """

    folder: str
    reader: MedlineConfig | TextConfig


def find_batch_input(
    data: DataConfig, path: str, text_column: str | None = None, key_column: str | None = None
) -> BatchInput:
    """Finds the files, and the settings to read them with.

    Files named `*.xml` and `*.xml.gz` are read as MEDLINE, with the config's `data.medline` if it has that;
    all others as tables or lines, with its `data.text`. A suffix that tells a format goes before
    `data.text.format`.

    Args:
        data: of the model's config.
        path: a file, a folder (all files in it) or a glob pattern.
        text_column: goes before the config's.
        key_column: goes before the config's.

    Raises:
        BatchInputError: there is no such file, or there are MEDLINE files and others.
    """
    folder, pattern = _folder_and_pattern(path)
    files = [f for f in sorted(glob.glob(os.path.join(folder, pattern))) if os.path.isfile(f)]
    if not files:
        raise BatchInputError(f"no file to read: {path}")
    medline = [file for file in files if file.endswith(_MEDLINE_SUFFIXES)]
    if not medline:
        reader = _text_reader(data.text, files, text_column, key_column)
        return BatchInput(folder, reader.model_copy(update={"pattern": pattern}))
    if len(medline) < len(files):
        other = next(file for file in files if file not in medline)
        raise BatchInputError(
            f"{path}: {medline[0]} is read as MEDLINE, {other} is not: give them one after the other"
        )
    kept = data.medline.model_dump(include=_MEDLINE_KEYS) if data.medline else {}
    return BatchInput(folder, MedlineConfig(**kept, pattern=pattern, splits=_UNSPLIT))


_UNSPLIT = SplitConfig(test=0)  # no rule on keys or groups, which would refuse rows


def _folder_and_pattern(path: str) -> tuple[str, str]:
    if os.path.isdir(path):
        return os.path.abspath(path), "*"
    if os.path.exists(path):
        folder, name = os.path.split(os.path.abspath(path))
        return folder, glob.escape(name)
    folder, name = os.path.split(os.path.abspath(path))
    while glob.has_magic(folder):
        folder, parent = os.path.split(folder)
        name = os.path.join(parent, name)
    return folder, name


def _text_reader(
    config: TextConfig | None,
    files: Sequence[str],
    text_column: str | None,
    key_column: str | None,
) -> TextConfig:
    settings = config.model_dump(include=_TEXT_KEYS) if config else {}
    told = {format_of_name(file) for file in files}
    tables = {"csv", "tsv"}
    stated = settings.get("format")
    alike = {stated} | (
        tables if stated in tables else set()
    )  # those two suffixes are often mixed up
    if stated and told - alike - {None}:
        del settings["format"]
    if {settings.get("format") or name for name in told} == {"text"}:
        settings |= {"text_column": "text", "key_column": None}  # lines have no other column
    settings |= {"text_column": text_column} if text_column else {}
    settings |= {"key_column": key_column} if key_column else {}
    return TextConfig(**settings, splits=_UNSPLIT)
