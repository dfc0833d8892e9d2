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


class WindowConfig(Config):
    """Which spans of data are read together.

    A record's split follows from its key alone, so it is the same in every window. A key that several spans
    have counts as its newest span's record; the older ones are filtered as `superseded`.

    Attributes:
        window: so many of the newest spans that there are; a missing number does not make it smaller.
        last: up to this span, the newest by default.
        skip: spans that are left out, as if they were not there.
    """

    window: int = pydantic.Field(1, ge=1)
    last: int | None = pydantic.Field(None, ge=0)
    skip: tuple[int, ...] = ()

    @pydantic.model_validator(mode="after")
    def _last_is_not_skipped(self) -> "WindowConfig":
        if self.last in self.skip:
            raise ValueError(f"last is {self.last}, which skip leaves out")
        return self


class ExampleGenConfig(Config):
    """Settings of any ExampleGen.

    Attributes:
        pattern: which files under the input folder, with TFX's `{SPAN}`, `{VERSION}`, `{YYYY}`,
            `{MM}`, `{DD}` placeholders if wanted.
        spans: how many spans are read where the pattern has such placeholders; without it the newest
            alone. The examples then have a feature `span`.
        splits: how records are divided.
        max_text_bytes: a longer text (UTF-8) is quarantined.
    """

    pattern: str = "*"
    spans: WindowConfig | None = None
    splits: SplitConfig = SplitConfig(test=0.1)
    max_text_bytes: int = pydantic.Field(1_000_000, ge=1)

    @pydantic.model_validator(mode="after")
    def _spans_fit(self) -> "ExampleGenConfig":
        if self.spans is None:
            return self
        if not any(name in self.pattern for name in ("{SPAN", "{YYYY}")):
            raise ValueError(
                f"spans need a pattern with {{SPAN}} or {{YYYY}}, {{MM}} and {{DD}}, found {self.pattern!r}"
            )
        if self.splits.group_near_duplicates:
            raise ValueError(
                "splits.group_near_duplicates does not go with spans: a record's split would depend on what "
                "else is in the window, so that what one run has trained on could be the next one's test"
            )
        return self

    def files(self) -> list[str]:
        """Paths of files these settings name; their content is part of the cache key."""
        return []
