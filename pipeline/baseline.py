"""The node that finds the model to compare a candidate with."""

from tfx.dsl.components.common.resolver import Resolver
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.evaluator.baseline import CANDIDATE, MODEL, StableOrLatestOtherModelStrategy
from components.pushed_baseline.component import PushedBaseline

BASELINE = "Baseline"


def create_baseline(
    candidate: Channel, serving_root: str, has_metadata: bool
) -> Resolver | PushedBaseline:
    """The model that is stable, or the latest other blessed one if that is the candidate; output `model`.

    Args:
        candidate: the model that will be compared.
        serving_root: where blessed models are pushed.
        has_metadata: whether the runner resolves from a metadata store. Kubeflow Pipelines does not.
    """
    if not has_metadata:
        return PushedBaseline(candidate, serving_root).with_id(BASELINE)
    return Resolver(
        strategy_class=StableOrLatestOtherModelStrategy,
        config={"pushed": serving_root},
        **{
            MODEL: Channel(type=Model),
            "model_blessing": Channel(type=ModelBlessing),
            CANDIDATE: candidate,
        },
    ).with_id(BASELINE)
