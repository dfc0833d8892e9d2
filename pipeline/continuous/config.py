"""When a canary takes over from the stable model."""

import pydantic

from models.config import Config


class CanaryConfig(Config):
    """What the canary must keep when both are asked the newest span's held-out texts through a server.

    Attributes:
        texts: the most texts to ask.
        texts_per_request: so many in each request.
        max_errors: the largest share of its requests that may fail.
        max_disagreement: the largest share of texts that it may label otherwise than the stable model.
        max_slowdown: its median seconds a request, relative to the stable model's.
        significance: it may not be less accurate than the stable model by a paired test (McNemar, exact,
            two-sided) at this level.
    """

    texts: int = pydantic.Field(default=256, ge=1)
    texts_per_request: int = pydantic.Field(default=8, ge=1)
    max_errors: float = pydantic.Field(default=0.0, ge=0, le=1)
    max_disagreement: float = pydantic.Field(default=0.25, ge=0, le=1)
    max_slowdown: float = pydantic.Field(default=3.0, gt=0)
    significance: float = pydantic.Field(default=0.05, gt=0, lt=1)


class ContinuousConfig(Config):
    """Settings of `python -m pipeline continuous`.

    Attributes:
        canary: looked at where `push.canary` puts a new model on trial.
    """

    canary: CanaryConfig = CanaryConfig()
