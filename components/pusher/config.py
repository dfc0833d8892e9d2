"""How models are pushed."""

import pydantic

from models.config import Config


class PushConfig(Config):
    """What becomes of a blessed model.

    Attributes:
        keep: how many of the newest versions stay; those with a label, and the one that a rollback would go
            to, stay as well.
        canary: whether a new version stands as `canary` beside `stable` until it is promoted; otherwise it is
            `stable` at once.
        served_as: the folder of the versions as the server sees it, such as /models/NAME in a container; by
            default as it is called here.
        wait_seconds: how long a version that was withdrawn still lies where servers look. It must be longer
            than `--model_config_file_poll_wait_seconds` of the servers.
    """

    keep: int = pydantic.Field(default=5, ge=1)
    canary: bool = False
    served_as: str | None = pydantic.Field(default=None, pattern=r"^(/|[a-z0-9]+://)")
    wait_seconds: float = pydantic.Field(default=10, ge=0)
