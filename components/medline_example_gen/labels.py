"""Labels from MeSH: the disease area a citation's major headings agree on, or all their areas."""

import csv
import difflib
from collections.abc import Iterable

from components.example_gen.records import Filtered, InputError
from components.medline_example_gen.config import LabelRule

_COLUMNS = ["descriptor_ui", "areas"]


class AreaLabeler:
    """Applies a LabelRule."""

    def __init__(self, rule: LabelRule):
        """Reads the rule's table.

        Raises:
            InputError: the table is malformed, or a class is not among its areas.
        """
        self._areas = _read_table(rule.mesh_areas)
        self._classes = frozenset(rule.classes)
        self._several = rule.label_type == "classes"
        known = set().union(*self._areas.values())
        for name in rule.classes:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1) or sorted(known)
                raise InputError(f"{rule.mesh_areas}: no area {name!r}; there is {', '.join(near)}")

    def label(self, major_descriptors: Iterable[str]) -> str | list[str] | Filtered:
        """The one area of these descriptors, or all that are asked for, or why there is none."""
        areas: set[str] = set()
        for descriptor in major_descriptors:
            areas |= self._areas.get(descriptor, frozenset())
        if not areas:
            return Filtered("no_label")
        if self._several:
            return sorted(areas & self._classes) or Filtered("class_not_asked")
        if len(areas) > 1:
            return Filtered("several_labels")
        area = areas.pop()
        return area if area in self._classes else Filtered("class_not_asked")


def _read_table(path: str) -> dict[str, frozenset[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        header = next(rows, [])
        if header != _COLUMNS:
            raise InputError(f"{path}: expected the columns {_COLUMNS}, found {header}")
        table = {}
        for row in rows:
            if len(row) != len(_COLUMNS):
                raise InputError(f"{path}, line {rows.line_num}: expected 2 columns, found {row}")
            table[row[0]] = frozenset(row[1].split("|"))
    return table
