"""What a batch is read with, and which model is asked."""

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from components.manifest import EXTRA_FOLDER, MANIFEST_FILE, measure, to_text
from components.medline_example_gen.config import MedlineConfig
from components.text_example_gen.config import TextConfig
from pipeline.batch_input import BatchInputError, find_batch_input
from pipeline.batch_model import BatchModelError, find_batch_model
from pipeline.configs import DataConfig, PipelineConfig
from pipeline.predict import PredictError
from pipeline.predict_batch import BatchError, read_format

TABLES = DataConfig.model_validate(
    {
        "path": ".",
        "text": {
            "pattern": "train.csv",
            "format": "csv",
            "text_column": ["title", "note"],
            "label_column": "label",
            "classes": ["a", "b"],
            "key_column": "id",
            "columns": {"site": "bytes"},
            "max_text_bytes": 99,
            "splits": {"eval": 0.1, "test": 0.1, "group_column": "site"},
        },
    }
)
MEDLINE = DataConfig.model_validate(
    {
        "path": ".",
        "medline": {
            "text_fields": ["abstract"],
            "label": {"mesh_areas": "none.tsv", "classes": ["a", "b"]},
            "splits": {"test_rule": {"modulus": 5}},
        },
    }
)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.csv", "b.jsonl", "c.txt", "d.xml", "e.xml.gz", "f.data", "g[1].csv"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "h.txt").touch()
    return tmp_path


def reader(folder, data, name, **columns) -> TextConfig | MedlineConfig:
    return find_batch_input(data, str(folder / name), **columns).reader


def test_labels_and_what_only_training_needs_are_left_out(folder):
    found = find_batch_input(TABLES, str(folder / "a.csv"))
    assert found.folder == str(folder)
    settings = found.reader
    assert isinstance(settings, TextConfig)
    assert settings.pattern == "a.csv"
    assert settings.text_columns == ("title", "note")
    assert (settings.key_column, settings.max_text_bytes) == ("id", 99)
    assert (settings.label_column, settings.classes, settings.columns) == (None, None, {})
    assert (settings.splits.group_column, settings.splits.test_rule) == (None, None)


@pytest.mark.parametrize(
    ("name", "stated"), [("a.csv", "csv"), ("b.jsonl", None), ("f.data", "csv"), ("c.txt", None)]
)
def test_a_suffix_goes_before_the_format(folder, name, stated):
    assert reader(folder, TABLES, name).format == stated


def test_a_csv_may_be_named_tsv(folder):
    (folder / "a.tsv").touch()
    assert reader(folder, TABLES, "a.tsv").format == "csv"


def test_lines_of_text_have_one_column_and_no_key(folder):
    settings = reader(folder, TABLES, "c.txt")
    assert (settings.text_columns, settings.key_column) == (("text",), None)


def test_columns_can_be_named(folder):
    settings = reader(folder, MEDLINE, "a.csv", text_column="note", key_column="pmid")
    assert (settings.text_columns, settings.key_column) == (("note",), "pmid")


def test_medline(folder):
    settings = reader(folder, MEDLINE, "*.xml*")
    assert isinstance(settings, MedlineConfig)
    assert (settings.label, settings.splits.test_rule) == (None, None)
    assert settings.text_fields == ("abstract",)
    assert reader(folder, TABLES, "d.xml").text_fields == ("title", "abstract")


@pytest.mark.parametrize(
    ("path", "files_folder", "pattern"),
    [("g[1].csv", ".", "g[[]1].csv"), ("sub", "sub", "*"), ("s*b/*.txt", ".", "s*b/*.txt")],
)
def test_files_folders_and_patterns(folder, path, files_folder, pattern):
    found = find_batch_input(TABLES, str(folder / path))
    assert (found.folder, found.reader.pattern) == (str(folder / files_folder), pattern)


@pytest.mark.parametrize("path", ["none.csv", "*.parquet", "sub/*.csv"])
def test_nothing_to_read(folder, path):
    with pytest.raises(BatchInputError, match="no file to read: "):
        find_batch_input(TABLES, str(folder / path))


def test_medline_and_tables_together(folder):
    with pytest.raises(BatchInputError, match=r"d\.xml is read as MEDLINE, .*a\.csv is not"):
        find_batch_input(TABLES, str(folder))


@pytest.fixture
def config(tmp_path):
    return PipelineConfig.model_validate(
        {
            "name": "tiny",
            "root": str(tmp_path),
            "data": {"path": "data", "text": {"label_column": "label"}},
            "model": {"weights": "minilm_l6"},
            "gate": {"min_accuracy": 0.5},
        }
    )


def test_models_that_cannot_be_asked(config, tmp_path):
    with pytest.raises(PredictError, match="no pushed model in"):
        find_batch_model(config)
    version = tmp_path / "tiny/serving/tiny/3"
    version.mkdir(parents=True)
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().signature_def["generate"].outputs["texts"].name = "texts:0"
    (version / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(BatchModelError, match="it has generate: texts"):
        find_batch_model(config, "3")
    with pytest.raises(BatchModelError, match=r"no saved_model.pb in .*/4; pushed versions: 3"):
        find_batch_model(config, "4")


def test_the_hash_is_of_the_files_as_they_are(config, tmp_path):
    version = tmp_path / "tiny/serving/tiny/3"
    (version / EXTRA_FOLDER).mkdir(parents=True)
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().signature_def["serving_default"].outputs["value"].name = "value:0"
    (version / "saved_model.pb").write_bytes(model.SerializeToString())
    (version / "weights").write_text("as pushed")
    (version / EXTRA_FOLDER / MANIFEST_FILE).write_text(to_text(measure(str(version))))
    pushed = find_batch_model(config, "3").sha256
    assert find_batch_model(config, "3").sha256 == pushed
    (version / "weights").write_text("changed since")
    assert find_batch_model(config, "3").sha256 != pushed


def test_an_unknown_format():
    with pytest.raises(BatchError, match="no format 'csv': --format is one of jsonl, parquet"):
        read_format("csv")
