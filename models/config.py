"""The base of every settings model in the project."""

import pydantic


class Config(pydantic.BaseModel):
    """Settings as data: frozen, typed, and closed to unknown keys.

    Raises:
        pydantic.ValidationError: on an unknown key, a wrong type or a value out of range.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")
