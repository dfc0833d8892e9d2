"""Readers of the Human Phenotype Ontology (hp.obo) and of its disease annotations (phenotype.hpoa).

Formats: https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html and
https://obophenotype.github.io/human-phenotype-ontology/annotations/phenotype_hpoa/.
"""

import collections
import csv
import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path

_SYNONYM = re.compile(r'"(?P<words>[^"]*)" EXACT ?(?P<kind>\w*) \[')

# Centres of the intervals that the ontology gives for its frequency classes.
_FREQUENCY_CLASSES = {
    "HP:0040280": 1.0,  # obligate: always
    "HP:0040281": 0.895,  # very frequent: 80-99 %
    "HP:0040282": 0.545,  # frequent: 30-79 %
    "HP:0040283": 0.17,  # occasional: 5-29 %
    "HP:0040284": 0.025,  # very rare: 1-4 %
    "HP:0040285": 0.0,  # excluded
}


@dataclasses.dataclass(frozen=True)
class Term:
    """One phenotype: its name, exact synonyms, everyday ("layperson") words and parents' ids."""

    name: str
    synonyms: tuple[str, ...]
    lay: tuple[str, ...]
    parents: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Disease:
    """One disease: how often (0 to 1) each phenotype is seen, and the phenotypes it excludes."""

    id: str
    name: str
    frequencies: dict[str, float]
    excluded: frozenset[str]


def read_terms(obo: Path) -> dict[str, Term]:
    """The current (not obsolete) terms of an OBO file by id."""
    terms = {}
    for tags in _stanzas(obo):
        if "is_obsolete" in tags:
            continue
        synonyms = [match for text in tags["synonym"] if (match := _SYNONYM.match(text))]
        terms[tags["id"][0]] = Term(
            name=tags["name"][0],
            synonyms=tuple(match["words"] for match in synonyms if match["kind"] == ""),
            lay=tuple(match["words"] for match in synonyms if match["kind"] == "layperson"),
            parents=tuple(text.split(" ! ")[0] for text in tags["is_a"]),
        )
    return terms


def read_diseases(hpoa: Path, unknown_frequency: float) -> dict[str, Disease]:
    """The diseases of a phenotype.hpoa file by id, with their phenotypic abnormalities.

    Annotations that hold for one sex only are left out. Several annotations of one phenotype are
    pooled: cases are added up, classes and percentages averaged.

    Args:
        hpoa: the annotation file.
        unknown_frequency: the frequency (0 to 1) of a phenotype annotated without one.
    """
    names = {}
    annotations: dict[str, dict[str, list[str]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    excluded = collections.defaultdict(set)
    with hpoa.open(encoding="utf-8", newline="") as lines:
        table = (line for line in lines if not line.startswith("#"))
        for row in csv.DictReader(table, delimiter="\t"):
            if row["aspect"] != "P" or row["sex"]:
                continue
            names[row["database_id"]] = row["disease_name"]
            if row["qualifier"] == "NOT":
                excluded[row["database_id"]].add(row["hpo_id"])
            else:
                annotations[row["database_id"]][row["hpo_id"]].append(row["frequency"])
    diseases = {}
    for disease, name in names.items():
        seen = {
            term: pooled_frequency(texts, unknown_frequency)
            for term, texts in annotations[disease].items()
        }
        diseases[disease] = Disease(
            id=disease,
            name=name,
            frequencies={term: frequency for term, frequency in seen.items() if frequency > 0},
            excluded=frozenset(excluded[disease]).union(t for t in seen if seen[t] == 0),
        )
    return diseases


def pooled_frequency(texts: list[str], unknown: float) -> float:
    """One frequency (0 to 1) from annotated ones: "3/7", "45%", a class's id, or "" (unknown)."""
    cases = [tuple(map(int, text.split("/"))) for text in texts if "/" in text]
    if cases:  # counted cases say more than a class
        return sum(case[0] for case in cases) / sum(case[1] for case in cases)
    known = [
        float(text.rstrip("%")) / 100 if text.endswith("%") else _FREQUENCY_CLASSES[text]
        for text in texts
        if text
    ]
    return math.fsum(known) / len(known) if known else unknown


def _stanzas(obo: Path) -> Iterator[dict[str, list[str]]]:
    for block in obo.read_text(encoding="utf-8").split("\n\n"):
        header, *lines = block.strip().splitlines() or [""]
        if header != "[Term]":
            continue
        tags: dict[str, list[str]] = collections.defaultdict(list)
        for line in lines:
            tag, _, value = line.partition(": ")
            tags[tag].append(value)
        yield tags
