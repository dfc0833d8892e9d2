"""How much a candidate is asked before it may be pushed."""

import pydantic

from models.config import Config


class ServingValidationConfig(Config):
    """Attributes are ServingValidator's arguments of the same names."""

    num_examples: int = pydantic.Field(default=32, ge=1)
    tolerance: float = pydantic.Field(default=1e-5, gt=0)
