import pytest

from pipeline.datasets.hpo import pooled_frequency, read_diseases, read_terms

OBO = """\
format-version: 1.2

[Term]
id: HP:0000118
name: Phenotypic abnormality

[Term]
id: HP:1
name: Seizure
synonym: "Epileptic fit" EXACT layperson []
synonym: "Convulsion" EXACT []
synonym: "Attack" BROAD []
is_a: HP:9 ! Abnormal nervous system

[Term]
id: HP:9
name: Abnormal nervous system
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:2
name: Fever
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:3
name: EEG slowing
is_a: HP:9 ! Abnormal nervous system

[Term]
id: HP:4
name: Cough
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:5
name: old
is_obsolete: true

[Typedef]
id: part_of
"""

_COLUMNS = [
    "database_id",
    "disease_name",
    "qualifier",
    "hpo_id",
    "reference",
    "evidence",
    "onset",
    "frequency",
    "sex",
    "modifier",
    "aspect",
    "biocuration",
]


def _annotation(disease, phenotype, frequency, qualifier="", sex="", aspect="P"):
    row = dict.fromkeys(_COLUMNS, "")
    row.update(database_id=disease, disease_name=f"{disease} disease", qualifier=qualifier)
    row.update(hpo_id=phenotype, frequency=frequency, sex=sex, aspect=aspect)
    return "\t".join(row.values())


@pytest.fixture
def hpo(tmp_path):
    (tmp_path / "hp.obo").write_text(OBO)
    rows = [
        _annotation("OMIM:1", "HP:1", "1/2"),
        _annotation("OMIM:1", "HP:1", "2/2"),
        _annotation("OMIM:1", "HP:2", "100%"),
        _annotation("OMIM:1", "HP:3", "HP:0040280"),
        _annotation("OMIM:1", "HP:4", "0/9"),
        _annotation("OMIM:1", "HP:9", "", qualifier="NOT"),
        _annotation("OMIM:1", "HP:4", "1/1", sex="MALE"),
        _annotation("OMIM:1", "HP:0000006", "", aspect="I"),
        *(_annotation("OMIM:2", f"HP:{number}", "1/1") for number in (1, 2, 4)),
        _annotation("OMIM:2", "HP:9", ""),
        _annotation("ORPHA:3", "HP:1", "1/1"),
    ]
    (tmp_path / "phenotype.hpoa").write_text(
        "#version: 2025\n" + "\t".join(_COLUMNS) + "\n" + "".join(f"{row}\n" for row in rows)
    )
    return tmp_path


def test_terms(hpo):
    terms = read_terms(hpo / "hp.obo")
    assert set(terms) == {"HP:0000118", "HP:1", "HP:2", "HP:3", "HP:4", "HP:9"}
    assert terms["HP:1"].lay == ("Epileptic fit",)
    assert terms["HP:1"].synonyms == ("Convulsion",)
    assert terms["HP:1"].parents == ("HP:9",)


def test_diseases(hpo):
    diseases = read_diseases(hpo / "phenotype.hpoa", unknown_frequency=0.4)
    first = diseases["OMIM:1"]
    assert first.name == "OMIM:1 disease"
    assert first.frequencies == {"HP:1": 0.75, "HP:2": 1.0, "HP:3": 1.0}
    assert first.excluded == {"HP:4", "HP:9"}
    assert diseases["OMIM:2"].frequencies["HP:9"] == 0.4


@pytest.mark.parametrize(
    ("texts", "frequency"),
    [
        (["3/7"], 3 / 7),
        (["1/1", "1/3"], 0.5),
        (["45%"], 0.45),
        (["HP:0040281"], 0.895),
        (["HP:0040285"], 0),
        (["50%", "HP:0040280"], 0.75),
        (["1/4", "HP:0040280"], 0.25),
        (["", "20%"], 0.2),
        ([""], 0.3),
    ],
)
def test_frequencies_are_pooled(texts, frequency):
    assert pooled_frequency(texts, unknown=0.3) == pytest.approx(frequency)
