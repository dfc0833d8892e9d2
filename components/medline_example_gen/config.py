"""Settings of the MEDLINE ExampleGen."""

from typing import Literal

import pydantic

from components.example_gen.config import ExampleGenConfig
from models.config import Config, TaskName

_GROUPS = ("journal", "year", "year_band", "language")  # the features that have one value


class LabelRule(Config):
    """A citation's class from its MeSH headings.

    Attributes:
        mesh_areas: path of a tab-separated table with a header line and the columns
            `descriptor_ui` and `areas` (names, separated by `|`).
        classes: the areas to learn.
        label_type: "class" keeps a citation if the major headings it has in the table share exactly one
            area and that area is among the classes; "classes" if they have any of the classes, and gives it
            all of them.
    """

    mesh_areas: str
    classes: tuple[str, ...] = pydantic.Field(min_length=2)
    label_type: Literal["class", "classes"] = "class"


class MedlineConfig(ExampleGenConfig):
    """Settings of the MEDLINE ExampleGen.

    Attributes:
        text_fields: what the text is made of, in this order.
        require_abstract: filter citations without an abstract.
        label: how to label; without it the examples carry no label.
    """

    pattern: str = "*.xml*"
    text_fields: tuple[Literal["title", "abstract"], ...] = pydantic.Field(
        ("title", "abstract"), min_length=1
    )
    require_abstract: bool = True
    label: LabelRule | None = None

    @pydantic.model_validator(mode="after")
    def _can_group(self) -> "MedlineConfig":
        if self.splits.group_column not in (None, *_GROUPS):
            raise ValueError(
                f"splits.group_column must be one of {', '.join(_GROUPS)}, "
                f"found {self.splits.group_column!r}"
            )
        return self

    @property
    def task(self) -> TaskName:
        """What such labels are learned as."""
        is_multi = self.label is not None and self.label.label_type == "classes"
        return "multi_label" if is_multi else "single_label"

    @property
    def has_pairs(self) -> bool:
        """Whether texts come in pairs: no."""
        return False

    def files(self) -> list[str]:
        """The label table."""
        return [self.label.mesh_areas] if self.label else []
