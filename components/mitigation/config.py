"""What is done to the training examples of unequal groups."""

import pydantic

from models.config import Config


class MitigationConfig(Config):
    """What is done to the train split; the others stay as they are.

    Attributes:
        attribute: one of `gate.fairness.attributes`, so that what is measured is what is worked on.
        reweight: give each training example the weight that makes group and label independent.
        augment: add a copy of each training text that has words of a group, with the words swapped.
    """

    attribute: str
    reweight: bool = False
    augment: bool = False

    @pydantic.model_validator(mode="after")
    def _does_something(self) -> "MitigationConfig":
        if not (self.reweight or self.augment):
            raise ValueError("give reweight: true, augment: true, or both")
        return self
