import csv
from pathlib import Path

from pipeline.datasets.mesh_areas import TABLE, disease_areas, write_table

MAPPINGS = """\
D1\tHeart Diseases\t\tC14\t
D2\tTumor "benign\tGrowth\tC04\t
D3\tAngiosarcoma\t\tC04.557|C14.907|C23.1\t
D4\tPain\t\tC23.888\t
D5\tAnimal Diseases\t\tC22\t
D6\tCalcimycin\t\tD02.355\t5455
"""


def test_areas_are_the_top_categories_of_diseases(tmp_path):
    (tmp_path / "mappings.tsv").write_text(MAPPINGS)
    areas = disease_areas(tmp_path / "mappings.tsv")
    assert areas == {
        "D1": ["Heart Diseases"],
        "D2": ['Tumor "benign'],
        "D3": ["Heart Diseases", 'Tumor "benign'],
    }
    write_table(areas, tmp_path / "table.tsv")
    assert (tmp_path / "table.tsv").read_text().splitlines()[
        -1
    ] == 'D3\tHeart Diseases|Tumor "benign'


def test_the_committed_table_names_the_areas_of_known_diseases():
    with (Path(__file__).parents[3] / TABLE).open(encoding="utf-8", newline="") as lines:
        areas = {
            row["descriptor_ui"]: row["areas"] for row in csv.DictReader(lines, delimiter="\t")
        }
    assert areas["D009369"] == "Neoplasms"
    assert areas["D003866"] == "Mental Disorders"  # Depressive Disorder, F03
    assert areas["D009203"] == "Cardiovascular Diseases"  # Myocardial Infarction
    assert "D010146" not in areas  # Pain, C23 only
    assert len({area for names in areas.values() for area in names.split("|")}) == 22 + 3 - 3
