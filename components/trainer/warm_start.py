"""Which pushed model a training starts from."""

from typing import Any

from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

from components.pusher.store import Store
from components.run_outputs import run_outputs

MODEL, CURRENT = "model", "current"
_EXAMPLES = "examples"


class LatestStableModelStrategy(ResolverStrategy):
    """The stable pushed model, or the one before if that was made of this run's very data.

    A canary on trial and what was rolled back are nothing to start from. A model of the same data is left out
    so that an unchanged pipeline that runs again starts where it did, and is found in the cache.

    Args:
        pushed: the Pusher's folder of versions; need not exist yet.
    """

    def __init__(self, pushed: str):
        self._pushed = pushed

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Resolves `model`; `current` is passed through.

        Args:
            store: the MLMD MetadataStore.
            input_dict: all artifacts of `model`, and in `current` the one of this run's ExampleGen.

        Returns:
            The same keys; `model` holds one artifact or none.
        """
        current = {artifact.id for artifact in input_dict[CURRENT]}
        models = {artifact.uri: artifact for artifact in input_dict[MODEL]}
        state = Store(self._pushed).state()
        chosen: list[types.Artifact] = []
        for version in reversed(state.stables):
            origin = state.origin(version)
            model = models.get(origin.model) if origin else None
            if model and not current & {*run_outputs(store, model.id).get(_EXAMPLES, ())}:
                chosen = [model]
                break
        return {MODEL: chosen, CURRENT: input_dict[CURRENT]}
