"""The node that finds the model to start a training from."""

from tfx.dsl.components.common.resolver import Resolver
from tfx.types import Channel
from tfx.types.standard_artifacts import Model

from components.pushed_baseline.component import PushedBaseline
from components.trainer.warm_start import CURRENT, MODEL, LatestStableModelStrategy

WARM_START = "WarmStart"


def create_warm_start(
    examples: Channel, serving_root: str, has_metadata: bool
) -> Resolver | PushedBaseline:
    """The stable pushed model of other data than this run's, if there is one; its output is `model`.

    Args:
        examples: of this run's ExampleGen.
        serving_root: where blessed models are pushed.
        has_metadata: whether the runner resolves from a metadata store. Kubeflow Pipelines does not; there it
            is the stable model, of whatever data.
    """
    if not has_metadata:
        return PushedBaseline(None, serving_root).with_id(WARM_START)
    return Resolver(
        strategy_class=LatestStableModelStrategy,
        config={"pushed": serving_root},
        **{MODEL: Channel(type=Model), CURRENT: examples},
    ).with_id(WARM_START)
