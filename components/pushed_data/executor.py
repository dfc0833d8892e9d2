"""Takes what drift is measured by out of the latest stable version that has learned from other data."""

import os
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.statistics_gen.stats_artifact_utils import BINARY_PB_BASENAME
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.artifact_file import write_artifact_file
from components.data_validator.drift import Drift
from components.manifest import EXTRA_FOLDER
from components.pushed_data.training_data import read_distributions, train_distributions
from components.pusher.store import Store

VERSION_PROPERTY = "pushed_version"
_TRAIN = "train"


class Executor(base_executor.BaseExecutor):
    """Writes `earlier_statistics` and `earlier_anomalies`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Looks through the versions that are or were stable, the latest first.

        A version that has learned from data with the very distributions of this run's has the same data:
        comparing with it would tell nothing.

        Args:
            input_dict: `statistics` of this run.
            output_dict: `earlier_statistics` with the split train, and as the property `pushed_version` where
                they come from, and `earlier_anomalies` with `drift.json`; both stay empty, without splits, if
                there is no such version.
            exec_properties: `base_directory`, the Pusher's.
        """
        now = train_distributions(artifact_utils.get_single_instance(input_dict["statistics"]))
        statistics = artifact_utils.get_single_instance(output_dict["earlier_statistics"])
        anomalies = artifact_utils.get_single_instance(output_dict["earlier_anomalies"])
        store = Store(exec_properties["base_directory"])
        for version in map(Path, map(store.path, reversed(store.state().stables))):
            found = read_distributions(version)
            if found is None or found == now:
                continue
            statistics.split_names = artifact_utils.encode_split_names([_TRAIN])
            statistics.set_string_custom_property(VERSION_PROPERTY, version.name)
            folder = artifact_utils.get_split_uri([statistics], _TRAIN)
            fileio.makedirs(folder)
            path = os.path.join(folder, BINARY_PB_BASENAME)
            write_artifact_file(path, found.SerializeToString(deterministic=True))
            if drift := Drift.read(str(version / EXTRA_FOLDER)):
                drift.write(anomalies.uri)
            return
