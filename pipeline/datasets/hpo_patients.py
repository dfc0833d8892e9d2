"""Simulated patients: short case texts drawn from the Human Phenotype Ontology's real frequencies.

No patient here is real. Each one's phenotypes are drawn with the frequencies annotated for the
disease; the text then blurs them as notes do: few findings of many, imprecise or lay words,
findings of other origin, and findings that are named only to be denied.
"""

import json
import math
import random
import re
from pathlib import Path
from typing import Annotated

import pydantic

from models.config import Config
from pipeline.datasets.hpo import Disease, Term, read_diseases, read_terms

Probability = Annotated[float, pydantic.Field(ge=0, le=1)]

_ROOT_TERM = "HP:0000118"  # "Phenotypic abnormality"
_FEWEST_FINDINGS = 3

_OPENINGS = (
    "A {age} {person} presented with {findings}.",
    "This {age} {person} was referred because of {findings}.",
    "We saw a {age} {person} with {findings}.",
    "{Findings} led to the admission of this {age} {person}.",
    "The patient, a {age} {person}, has {findings}.",
    "{Age} {person}. Known for {findings}.",
)
_CONTINUATIONS = (
    "Examination showed {findings}.",
    "{Pronoun} also has {findings}.",
    "{Findings} came to light on follow-up.",
    "The history is notable for {findings}.",
    "In addition, {findings} had been noted.",
    "According to the family there was {findings}.",
)
_DENIALS = (
    "There was no {finding}.",
    "{Pronoun} had no signs of {finding}.",
    "{Finding} was ruled out.",
    "{Finding} was not found.",
    "The family denies {finding}.",
    "Work-up was negative for {finding}.",
)


class PatientSettings(Config):
    """How many simulated patients to write, and how far their texts blur what they have."""

    diseases: int = pydantic.Field(ge=2)
    patients_per_disease: pydantic.PositiveInt
    seed: int = 7
    fewest_phenotypes: pydantic.PositiveInt = 15
    unknown_frequency: Probability = 0.5
    most_findings: int = pydantic.Field(default=7, ge=_FEWEST_FINDINGS)
    imprecise: Probability = 0.3
    lay_words: Probability = 0.5
    other_words: Probability = 0.3
    most_noise: pydantic.NonNegativeInt = 3
    most_denials: pydantic.NonNegativeInt = 3


def write_patients(hpo: Path, target: Path, settings: PatientSettings) -> None:
    """Writes `patients.jsonl` into the folder `target` from a folder with hp.obo, phenotype.hpoa.

    One JSON object a line: patient_id, text, disease (its name), disease_id, sex, age (years),
    n_phenotypes (the true ones that the text mentions), simulated (true). Same settings, same file.
    """
    clinic = Clinic(read_terms(hpo / "hp.obo"), _choose(hpo, settings), settings)
    patients = [
        (disease, number)
        for disease in clinic.diseases
        for number in range(settings.patients_per_disease)
    ]
    random.Random(settings.seed).shuffle(patients)
    with (target / "patients.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        for index, (disease, number) in enumerate(patients):
            record = {"patient_id": f"simulated-{index:06d}", **clinic.patient(disease, number)}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def _choose(hpo: Path, settings: PatientSettings) -> list[Disease]:
    """Diseases of one catalogue (OMIM's: a second one repeats them under other names)."""
    diseases = read_diseases(hpo / "phenotype.hpoa", settings.unknown_frequency)
    rich = sorted(
        (
            disease
            for disease in diseases.values()
            if disease.id.startswith("OMIM:")
            and len(disease.frequencies) >= settings.fewest_phenotypes
            # fsum: Python 3.12's sum rounds otherwise than earlier ones
            and math.fsum(disease.frequencies.values()) >= 2 * _FEWEST_FINDINGS
        ),
        key=lambda disease: disease.id,
    )
    return random.Random(settings.seed).sample(rich, settings.diseases)


class Clinic:
    """Draws patients of the given diseases."""

    def __init__(
        self, terms: dict[str, Term], diseases: list[Disease], settings: PatientSettings
    ) -> None:
        self.diseases = diseases
        self._terms = terms
        self._settings = settings
        self._seen = sorted({term for disease in diseases for term in disease.frequencies})

    def patient(self, disease: Disease, number: int) -> dict[str, object]:
        """The `number`-th patient with this disease: the same one each time."""
        draw = random.Random(f"{self._settings.seed}/{disease.id}/{number}")
        sex = draw.choice(("female", "male"))
        age = draw.randint(0, 70)
        present = self._present(disease, draw)
        draw.shuffle(present)
        told = present[: draw.randint(_FEWEST_FINDINGS, self._settings.most_findings)]
        return {
            "text": self._text(disease, present, told, sex, age, draw),
            "disease": disease.name,
            "disease_id": disease.id,
            "sex": sex,
            "age": age,
            "n_phenotypes": len(told),
            "simulated": True,
        }

    def _present(self, disease: Disease, draw: random.Random) -> list[str]:
        while True:  # a patient with fewer findings would not have been diagnosed
            present = [
                term for term, often in sorted(disease.frequencies.items()) if draw.random() < often
            ]
            if len(present) >= _FEWEST_FINDINGS:
                return present

    def _text(
        self,
        disease: Disease,
        present: list[str],
        told: list[str],
        sex: str,
        age: int,
        draw: random.Random,
    ) -> str:
        settings = self._settings
        unrelated = [term for term in self._seen if term not in disease.frequencies]
        noise = draw.sample(unrelated, draw.randint(0, settings.most_noise))
        findings = [self._words(self._blur(term, draw), draw) for term in told + noise]
        draw.shuffle(findings)
        first = draw.randint(1, len(findings))
        who = {
            "age": "newborn" if age == 0 else f"{age}-year-old",
            "person": _person(sex, age),
            "pronoun": "she" if sex == "female" else "he",
        }
        sentences = [_fill(draw.choice(_OPENINGS), who, findings=_listed(findings[:first]))]
        while findings := findings[first:]:
            first = draw.randint(1, len(findings))
            part = _listed(findings[:first])
            sentences.append(_fill(draw.choice(_CONTINUATIONS), who, findings=part))
        # Denied: what this patient could have had, what the disease excludes, or anything else.
        absent = sorted((disease.frequencies.keys() | disease.excluded) - set(present))
        for _ in range(draw.randint(0, settings.most_denials)):
            term = draw.choice(absent if absent and draw.random() < 0.3 else unrelated)
            finding = self._words(term, draw)
            at = draw.randint(1, len(sentences))
            sentences.insert(at, _fill(draw.choice(_DENIALS), who, finding=finding))
        return " ".join(sentences)

    def _blur(self, term: str, draw: random.Random) -> str:
        """The term itself or, sometimes, one of its parents: a less precise finding."""
        if draw.random() >= self._settings.imprecise:
            return term
        wider = [parent for parent in self._terms[term].parents if parent != _ROOT_TERM]
        return draw.choice(wider) if wider else term

    def _words(self, term_id: str, draw: random.Random) -> str:
        term = self._terms[term_id]
        if term.lay and draw.random() < self._settings.lay_words:
            words = draw.choice(term.lay)
        elif term.synonyms and draw.random() < self._settings.other_words:
            words = draw.choice(term.synonyms)
        else:
            words = term.name
        return words[0].lower() + words[1:] if words[1:2].islower() else words


def _person(sex: str, age: int) -> str:
    child, adult = ("girl", "woman") if sex == "female" else ("boy", "man")
    return child if age < 16 else adult


def _listed(findings: list[str]) -> str:
    return " and ".join(part for part in (", ".join(findings[:-1]), findings[-1]) if part)


def _fill(template: str, who: dict[str, str], **words: str) -> str:
    """Fills a template; a field written with a capital gets its words with a capital."""
    values = {**who, **words}
    return re.sub(r"{(\w+)}", lambda field: _like(field[1], values[field[1].lower()]), template)


def _like(field: str, words: str) -> str:
    return words[0].upper() + words[1:] if field[0].isupper() else words
