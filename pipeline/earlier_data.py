"""The node that finds the data of the last blessed model."""

from tfx.dsl.components.common.resolver import Resolver
from tfx.types import Channel
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, ModelBlessing

from components.data_validator.earlier import (
    ANOMALIES,
    BLESSING,
    CURRENT,
    STATISTICS,
    LatestBlessedDataStrategy,
)


def create_earlier_data(statistics: Channel) -> Resolver:
    """Statistics and anomalies of the latest blessed run with other data; none if there is no such run.

    Only a runner with a metadata store can resolve it; Kubeflow Pipelines cannot.

    Args:
        statistics: of this run.
    """
    return Resolver(
        strategy_class=LatestBlessedDataStrategy,
        **{
            STATISTICS: Channel(type=ExampleStatistics),
            ANOMALIES: Channel(type=ExampleAnomalies),
            BLESSING: Channel(type=ModelBlessing),
            CURRENT: statistics,
        },
    ).with_id("EarlierData")
