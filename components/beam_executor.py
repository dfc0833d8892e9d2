"""What our own Beam executors share."""

import os

import apache_beam as beam
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils


class BeamExecutor(base_beam_executor.BaseBeamExecutor):
    """TFX's base class, but the default runner is the in-memory one.

    Beam's own default first tries to download the Prism binary (apache/beam#34549).
    """

    def _make_beam_pipeline(self) -> beam.Pipeline:
        if any(arg.startswith("--runner") for arg in self._beam_pipeline_args):
            return super()._make_beam_pipeline()
        return beam.Pipeline(runner="FnApiRunner", argv=self._beam_pipeline_args)


def split_files(examples: types.Artifact, split: str) -> list[str]:
    """The files of a split, in the order of their names.

    Raises:
        ValueError: there is no such split.
    """
    names = artifact_utils.decode_split_names(examples.split_names)
    if split not in names:
        raise ValueError(f"the examples have no split {split}, only {', '.join(names)}")
    folder = artifact_utils.get_split_uri([examples], split)
    return sorted(fileio.glob(os.path.join(folder, "*")))
