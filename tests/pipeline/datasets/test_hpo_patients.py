import json
import re

import pytest

from pipeline.datasets.hpo import Disease, Term
from pipeline.datasets.hpo_patients import Clinic, PatientSettings, write_patients

WORDS = ("fever", "cough", "seizure", "rash", "jaundice", "pallor", "tremor", "ataxia")
TERMS = {
    **{f"HP:{n}": Term(word.capitalize(), (), (), ("HP:99",)) for n, word in enumerate(WORDS)},
    "HP:20": Term("EEG slowing", ("Slow EEG",), ("slow brain waves",), ("HP:99",)),
    "HP:99": Term("Illness", (), (), ("HP:0000118",)),
}
SICK = Disease("OMIM:1", "Sickness", {f"HP:{n}": 1.0 for n in range(4)}, frozenset({"HP:4"}))
OTHER = Disease("OMIM:2", "Otherness", {f"HP:{n}": 1.0 for n in (5, 6, 7, 20)}, frozenset())
CLEAR = {"imprecise": 0, "lay_words": 0, "other_words": 0, "most_noise": 0, "most_denials": 0}


def _texts(disease=SICK, number=60, **changes):
    settings = PatientSettings(diseases=2, patients_per_disease=number, **{**CLEAR, **changes})
    clinic = Clinic(TERMS, [SICK, OTHER], settings)
    return [clinic.patient(disease, index) for index in range(number)]


def _named(patient):
    return {word for word in WORDS if word in patient["text"].lower()}


def test_a_clear_text_tells_this_diseases_phenotypes_only():
    for patient in _texts():
        assert _named(patient) <= {"fever", "cough", "seizure", "rash"}
        assert len(_named(patient)) == min(patient["n_phenotypes"], 4) >= 3


def test_phenotypes_come_as_often_as_annotated():
    rare = Disease("OMIM:3", "Rare", {**SICK.frequencies, "HP:5": 0.25}, frozenset())
    # Up to 40 findings: hardly a text leaves out one of the five that are possible here.
    texts = _texts(rare, 600, most_findings=40)
    assert 0.20 < sum("pallor" in _named(patient) for patient in texts) / 600 < 0.30


def test_noise_and_denials_name_what_the_patient_does_not_have():
    noisy = _texts(most_noise=3)
    assert any(_named(patient) & {"pallor", "tremor", "ataxia"} for patient in noisy)
    denied = [
        sentence
        for patient in _texts(most_denials=3)
        for sentence in re.findall(r"[^.]+\.", patient["text"])
        if any(word in sentence.lower() for word in ("jaundice", "pallor", "tremor", "ataxia"))
    ]
    assert denied
    assert all(re.search(r"\b(no|not|out|denies|negative)\b", sentence) for sentence in denied)


def test_words_may_be_imprecise_or_everyday_ones():
    assert any("illness" in p["text"].lower() for p in _texts(imprecise=0.5))
    lay = " ".join(p["text"] for p in _texts(OTHER, lay_words=1))
    assert "low brain waves" in lay
    assert "EEG" not in lay
    other = " ".join(p["text"] for p in _texts(OTHER, other_words=1))
    assert "low EEG" in other
    plain = " ".join(p["text"] for p in _texts(OTHER))
    assert "EEG slowing" in plain  # an abbreviation keeps its capitals


def test_texts_are_sentences_about_one_person():
    for patient in _texts(most_noise=3, most_denials=3, imprecise=0.3):
        assert not re.search(r"[{}]|\.\.|  |, and|\b(a|an) \d+-year-old$", patient["text"])
        sexes = re.findall(r"\b(she|he|woman|girl|man|boy)\b", patient["text"].lower())
        female = [word in ("she", "woman", "girl") for word in sexes]
        assert set(female) == {patient["sex"] == "female"}
        assert patient["simulated"] is True


def _write_hpo(folder):
    stanzas = [
        f"[Term]\nid: {term}\nname: {words.name}\nis_a: HP:99 ! Illness\n"
        for term, words in TERMS.items()
    ]
    (folder / "hp.obo").write_text("\n".join(stanzas))
    header = ["database_id", "disease_name", "qualifier", "hpo_id", "frequency", "sex", "aspect"]
    rows = [
        [f"{catalogue}:{disease}", f"Disease {disease}", "", f"HP:{term}", "1/1", "", "P"]
        for catalogue, disease in (("OMIM", 1), ("OMIM", 2), ("OMIM", 3), ("ORPHA", 4))
        for term in range(disease, disease + 6 if disease < 3 else 4)
    ]
    lines = ["#version: 1", *("\t".join(row) for row in [header, *rows])]
    (folder / "phenotype.hpoa").write_text("\n".join(lines) + "\n")


@pytest.fixture
def written(tmp_path):
    _write_hpo(tmp_path)

    def written(**changes):
        settings = PatientSettings(
            diseases=2, patients_per_disease=5, fewest_phenotypes=6, most_noise=1, **changes
        )
        write_patients(tmp_path, tmp_path, settings)
        return (tmp_path / "patients.jsonl").read_bytes()

    return written


def test_the_file_is_the_same_each_time_and_another_for_another_seed(written):
    first = written(seed=1)
    assert written(seed=1) == first
    assert written(seed=2) != first


def test_the_file_holds_the_asked_patients_of_well_described_diseases(written):
    patients = [json.loads(line) for line in written().splitlines()]
    assert len(patients) == 10
    assert len({patient["patient_id"] for patient in patients}) == 10
    assert {patient["disease"] for patient in patients} == {"Disease 1", "Disease 2"}
    assert set(patients[0]) == {
        *("patient_id", "text", "disease", "disease_id", "sex", "age"),
        *("n_phenotypes", "simulated"),
    }
    ids = [patient["disease_id"] for patient in patients]
    assert ids != sorted(ids)  # shuffled: the first lines are no single class
