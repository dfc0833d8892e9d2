"""The node that finds the data of the last blessed model."""

from collections.abc import Mapping

from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel, Channel
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, ModelBlessing

from components.data_validator.earlier import (
    ANOMALIES,
    BLESSING,
    CURRENT,
    STATISTICS,
    LatestBlessedDataStrategy,
)
from components.pushed_data.component import PushedData

EARLIER_DATA = "EarlierData"


def create_earlier_data(
    statistics: Channel, serving_root: str, has_metadata: bool
) -> Resolver | PushedData:
    """Finds statistics and anomalies of the latest blessed run with other data; none if there is no such run.

    Args:
        statistics: of this run.
        serving_root: where blessed models are pushed.
        has_metadata: whether the runner resolves from a metadata store. Kubeflow Pipelines does not.
    """
    if not has_metadata:
        return PushedData(statistics, serving_root).with_id(EARLIER_DATA)
    return Resolver(
        strategy_class=LatestBlessedDataStrategy,
        **{
            STATISTICS: Channel(type=ExampleStatistics),
            ANOMALIES: Channel(type=ExampleAnomalies),
            BLESSING: Channel(type=ModelBlessing),
            CURRENT: statistics,
        },
    ).with_id(EARLIER_DATA)


def earlier_channels(node: Resolver | PushedData) -> Mapping[str, BaseChannel]:
    """What the DataValidator takes of the node: `statistics` and `anomalies`."""
    prefix = "earlier_" if isinstance(node, PushedData) else ""
    return {key: node.outputs[prefix + key] for key in (STATISTICS, ANOMALIES)}
