"""Which earlier model the candidate is compared with."""

from tfx import types
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)

from components.pusher.history import State
from components.pusher.store import Store

CANDIDATE, MODEL, MODEL_BLESSING = "candidate", "model", "model_blessing"


class StableOrLatestOtherModelStrategy(LatestBlessedModelStrategy):
    """The model that is stable; if that is the candidate itself, the latest other blessed one.

    What was rolled back is nothing to be measured by. TFX's own strategy would, when an unchanged pipeline
    runs again, resolve the very model that is being evaluated, and so evaluate, bless and push it anew each
    time.

    Args:
        pushed: the Pusher's folder of versions; need not exist yet.
    """

    def __init__(self, pushed: str):
        self._pushed = pushed

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Resolves `model` and `model_blessing`; `candidate` is passed through.

        Args:
            store: an MLMD MetadataStore.
            input_dict: all artifacts of `model` and `model_blessing`, and the one `candidate`.

        Returns:
            The same keys; the first two hold one artifact each, or none.
        """
        candidates = input_dict[CANDIDATE]
        own = {artifact.id for artifact in candidates}
        state = Store(self._pushed).state()
        refused = {_model(state, version) for version in state.withdrawn}
        others = [
            artifact
            for artifact in input_dict[MODEL]
            if artifact.id not in own and artifact.uri not in refused
        ]
        stable = [artifact for artifact in others if artifact.uri == _model(state, state.stable)]
        resolved = super().resolve_artifacts(
            store, {MODEL: stable or others, MODEL_BLESSING: input_dict[MODEL_BLESSING]}
        )
        return None if resolved is None else {**resolved, CANDIDATE: candidates}


def _model(state: State, version: int | None) -> str | None:
    """URI of the artifact that was pushed as a version."""
    origin = state.origin(version)
    return origin.model if origin else None
