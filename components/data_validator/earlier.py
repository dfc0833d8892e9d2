"""Finds the data of the last blessed model."""

from typing import Any

from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

from components.run_outputs import run_outputs

CURRENT, STATISTICS, ANOMALIES, BLESSING = "current", "statistics", "anomalies", "model_blessing"


class LatestBlessedDataStrategy(ResolverStrategy):
    """Statistics and anomalies of the latest run with a blessed model and other data than this one.

    A run with the very statistics of this one, cached, has the same data; comparing with it would tell
    nothing, and would make the DataValidator run again each time an unchanged pipeline does.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Resolves `statistics`, `anomalies` and `model_blessing`; `current` is passed through.

        Args:
            store: the MLMD MetadataStore.
            input_dict: all artifacts of the three, and in `current` the one of this run's StatisticsGen.

        Returns:
            The same keys; the first three hold one artifact each, or none.
        """
        current = {artifact.id for artifact in input_dict[CURRENT]}
        known = {
            key: {artifact.id: artifact for artifact in input_dict[key]}
            for key in (STATISTICS, ANOMALIES)
        }
        newest_first = sorted(input_dict[BLESSING], key=lambda artifact: artifact.id, reverse=True)
        for blessing in newest_first:
            if blessing.get_int_custom_property("blessed") != 1:
                continue
            of_run = run_outputs(store, blessing.id)
            found = {
                key: [artifacts[i] for i in of_run.get(key, ()) if i in artifacts]
                for key, artifacts in known.items()
            }
            if found[STATISTICS] and found[STATISTICS][0].id not in current:
                chosen = {key: artifacts[:1] for key, artifacts in found.items()}
                return {**chosen, BLESSING: [blessing], CURRENT: input_dict[CURRENT]}
        return {STATISTICS: [], ANOMALIES: [], BLESSING: [], CURRENT: input_dict[CURRENT]}
