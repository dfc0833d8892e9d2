"""What only people know of a model, and what the line tells the card."""

import pydantic

from models.config import Config, TrainingConfig


class Owner(Config):
    """Who answers for the model, e.g. a group, and how they are reached."""

    name: str
    contact: str | None = None


class Risk(Config):
    """A harm that the model may do, and what is done against it."""

    name: str
    mitigation_strategy: str


class ModelCardConfig(Config):
    """The fields of a model card (Mitchell et al., arXiv 1810.03993) that no artifact holds.

    What is not given is shown as not stated.

    Attributes:
        overview: what the model does, in a sentence.
        owners: who answers for it.
        license: of the model, an SPDX identifier.
        references: addresses of papers and pages.
        citation: how to cite the model.
        users: who it is for.
        use_cases: what it is for.
        out_of_scope: what it is not for.
        limitations: where it is known to fail.
        tradeoffs: what was given up for what.
        sensitive_data: what of the data concerns persons.
        risks: what harm it may do.
    """

    overview: str | None = None
    owners: tuple[Owner, ...] = ()
    license: str | None = None
    references: tuple[str, ...] = ()
    citation: str | None = None
    users: tuple[str, ...] = ()
    use_cases: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    tradeoffs: tuple[str, ...] = ()
    sensitive_data: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()


class Origin(Config):
    """What the model was made of, as the config names it.

    Attributes:
        name: of the pipeline.
        data: name of the data set, or its folder.
        weights: what the training started from; None for random weights.
        weights_hash: their content's.
        vocabulary_hash: likewise.
        training: the settings, before any tuning.
        settings_hash: of all settings of the config that make or judge the model.
    """

    name: str
    data: str
    weights: str | None
    weights_hash: str | None
    vocabulary_hash: str
    training: TrainingConfig
    settings_hash: str = pydantic.Field(min_length=1)
