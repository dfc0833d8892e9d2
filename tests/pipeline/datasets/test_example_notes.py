import collections
import csv
from pathlib import Path

from pipeline.datasets.example_notes import COLUMNS, TABLE, example_notes


def test_the_committed_table_is_what_the_script_makes():
    with (Path(__file__).parents[3] / TABLE).open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [COLUMNS, *example_notes()]


def test_the_table_has_what_careless_readers_of_csv_get_wrong():
    notes = [row[COLUMNS.index("note")] for row in example_notes()]
    for hard in (",", "\n", '"', "µ"):
        assert any(hard in note for note in notes)
    causes = collections.Counter(row[COLUMNS.index("cause")] for row in example_notes())
    assert set(causes) == {"sample", "reagent", "instrument"}
    assert min(causes.values()) > 80
