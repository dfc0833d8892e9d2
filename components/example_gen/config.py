"""Settings every ExampleGen shares."""

import pydantic

from components.near_duplicates.config import NearDuplicateConfig
from models.config import Config


class ModuloRule(Config):
    """Test records are those whose integer key leaves `remainder` when divided by `modulus`."""

    modulus: int = pydantic.Field(ge=2)
    remainder: int = pydantic.Field(0, ge=0)

    @pydantic.model_validator(mode="after")
    def _remainder_is_reachable(self) -> "ModuloRule":
        if self.remainder >= self.modulus:
            raise ValueError(f"remainder {self.remainder} never occurs with modulus {self.modulus}")
        return self


class SplitConfig(Config):
    """How records are divided into train, eval and test: by their key alone, or by that of their group.

    Records that share a group never straddle splits. A group goes where a record with the group's name as key
    would go, so that `test_rule` and the fractions hold for groups.

    Attributes:
        eval: fraction for the eval split; of all records with `test`, of the rest with `test_rule`.
        test: fraction of all records for the test split; 0 for no test split.
        test_rule: an explicit rule for the test split, instead of `test`.
        salt: another salt gives another division.
        group_column: a feature of the examples; records with one value of it are a group.
        group_near_duplicates: near duplicates are one group, and so are all that are joined by a chain of
            them; it is named by the smallest key or value of `group_column` in it. Needs about 2 kB of one
            worker's memory for an abstract.
        near_duplicates: what near duplicates are, here and in the audit of the splits.
    """

    eval: float = pydantic.Field(0.1, gt=0, lt=1)
    test: float | None = pydantic.Field(None, ge=0, lt=1)
    test_rule: ModuloRule | None = None
    salt: str = ""
    group_column: str | None = None
    group_near_duplicates: bool = False
    near_duplicates: NearDuplicateConfig = NearDuplicateConfig()

    @pydantic.model_validator(mode="after")
    def _one_way_to_test(self) -> "SplitConfig":
        if (self.test is None) == (self.test_rule is None):
            raise ValueError("give either test (a fraction, 0 for no test split) or test_rule")
        if self.eval + (self.test or 0) >= 1:
            raise ValueError(f"eval {self.eval} and test {self.test} leave nothing to train on")
        return self

    @property
    def names(self) -> list[str]:
        """The splits that will be written."""
        return ["train", "eval"] if self.test == 0 else ["train", "eval", "test"]


class ExampleGenConfig(Config):
    """Settings of any ExampleGen.

    Attributes:
        pattern: which files under the input folder, with TFX's `{SPAN}`, `{VERSION}`, `{YYYY}`,
            `{MM}`, `{DD}` placeholders if wanted.
        splits: how records are divided.
        max_text_bytes: a longer text (UTF-8) is quarantined.
    """

    pattern: str = "*"
    splits: SplitConfig = SplitConfig(test=0.1)
    max_text_bytes: int = pydantic.Field(1_000_000, ge=1)

    def files(self) -> list[str]:
        """Paths of files these settings name; their content is part of the cache key."""
        return []
