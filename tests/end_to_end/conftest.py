"""Fixtures of whole runs."""

from pathlib import Path

import pytest
from end_to_end_world import VOCABULARY, make_rows, write_csv


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/rows.csv and vocab.txt."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "data").mkdir()
    write_csv(folder / "data" / "rows.csv", make_rows(400))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return folder
