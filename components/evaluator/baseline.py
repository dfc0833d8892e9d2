"""Which earlier model the candidate is compared with."""

from tfx import types
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)

CANDIDATE, MODEL, MODEL_BLESSING = "candidate", "model", "model_blessing"


class LatestOtherBlessedModelStrategy(LatestBlessedModelStrategy):
    """The latest blessed model that is not the candidate itself.

    TFX's own strategy would, when an unchanged pipeline runs again, resolve the very model that is being
    evaluated, and so evaluate, bless and push it anew each time.
    """

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
        others = {
            MODEL: [artifact for artifact in input_dict[MODEL] if artifact.id not in own],
            MODEL_BLESSING: input_dict[MODEL_BLESSING],
        }
        resolved = super().resolve_artifacts(store, others)
        return None if resolved is None else {**resolved, CANDIDATE: candidates}
