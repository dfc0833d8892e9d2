"""Makes the table of disease areas that MEDLINE records are labelled with.

`python -m pipeline.datasets.mesh_areas` writes configs/mesh_disease_areas.tsv. A descriptor's areas
are the top categories of its tree numbers. Two categories of diseases are left out: C22 (animals')
and C23 (signs and symptoms), which say little of the area.
"""

import csv
from pathlib import Path

from pipeline.datasets.fetch import fetch

TABLE = Path("configs/mesh_disease_areas.tsv")
_TREES = frozenset({f"C{number:02d}" for number in range(1, 27)} - {"C22", "C23"} | {"F03"})


def disease_areas(mappings: Path) -> dict[str, list[str]]:
    """The areas' names, sorted, of each MeSH descriptor (UI) of a disease.

    Args:
        mappings: tab-separated, without a header: UI, name, synonyms, tree numbers ('|' between).
    """
    with mappings.open(encoding="utf-8", newline="") as lines:
        rows = [
            (ui, name, numbers.split("|"))
            for ui, name, _, numbers, *_ in csv.reader(lines, "excel-tab", quoting=csv.QUOTE_NONE)
        ]
    names = {tree: name for _, name, numbers in rows for tree in numbers if tree in _TREES}
    areas = {}
    for ui, _, numbers in rows:
        trees = {number.split(".")[0] for number in numbers} & _TREES
        if trees:
            areas[ui] = sorted(names[tree] for tree in trees)
    return areas


def write_table(areas: dict[str, list[str]], path: Path) -> None:
    """Writes descriptor_ui and areas ('|' between), tab-separated, sorted by descriptor."""
    rows = [f"{ui}\t{'|'.join(names)}\n" for ui, names in sorted(areas.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text("descriptor_ui\tareas\n" + "".join(rows), encoding="utf-8")
    new.replace(path)


def main() -> None:
    """Writes the table into the current folder's configs/."""
    areas = disease_areas(fetch("mesh_trees") / "mesh_id_label_mappings.tsv")
    write_table(areas, TABLE)
    print(f"{TABLE}: {len(areas)} descriptors")


if __name__ == "__main__":
    main()
