"""What the config names must be there before anything starts."""

import re
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config_loader import load_config, top_keys
from pipeline.configs import PipelineConfig
from pipeline.inputs import InputError, check_inputs, find_inputs
from pipeline.pretrain_config import config_class

ROOT = Path(__file__).resolve().parent.parent.parent
BACKBONE = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}


@pytest.fixture
def make(tmp_path):
    """A config whose files all exist; changes are by dotted key, None removes one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    (tmp_path / "areas.tsv").write_text("descriptor_ui\tareas\n")
    hf = tmp_path / "hf"
    hf.mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (hf / name).write_text(name)

    def build(**changes):
        groups = {
            "name": "tiny",
            "root": str(tmp_path / "runs"),
            "data": {"path": str(tmp_path / "data"), "text": {"label_column": "label"}},
            "model": {"backbone": BACKBONE, "vocabulary": str(tmp_path / "vocab.txt")},
            "gate": {"min_accuracy": 0.5},
        }
        return PipelineConfig.model_validate(groups | changes)

    return build


def test_all_there(make):
    check_inputs(make())


def test_an_unknown_data_set_gives_the_nearest_name(make):
    data = {"dataset": "pubmed_sampel", "text": {"label_column": "label"}}
    with pytest.raises(InputError) as error:
        check_inputs(make(data=data))
    message = "data.dataset: 'pubmed_sampel' is not known; did you mean 'pubmed_sample'?"
    assert str(error.value) == message


def test_all_missing_paths_are_told_at_once(make, tmp_path):
    config = make(
        data={"path": str(tmp_path / "nowhere"), "text": {"label_column": "label"}},
        model={"backbone": BACKBONE, "vocabulary": str(tmp_path / "no.txt")},
    )
    with pytest.raises(InputError) as error:
        check_inputs(config)
    assert str(error.value).splitlines() == [
        f"data.path: {tmp_path / 'nowhere'}: no such folder",
        f"model.vocabulary: {tmp_path / 'no.txt'}: no such file",
    ]


def test_a_missing_label_table_is_told(make, tmp_path):
    label = {"mesh_areas": str(tmp_path / "no.tsv"), "classes": ["a", "b"]}
    data = {"path": str(tmp_path / "data"), "medline": {"label": label}}
    with pytest.raises(InputError, match=r"no\.tsv: no such file"):
        check_inputs(make(data=data))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_weights_folder_must_be_whole(make, tmp_path, missing):
    weights = {"weights": str(tmp_path / "hf")}
    check_inputs(make(model=weights))
    (tmp_path / "hf" / missing).unlink()
    with pytest.raises(InputError, match=rf"model.weights: .*hf: no {missing} there"):
        check_inputs(make(model=weights))


def test_weights_with_another_vocabulary_need_none_of_their_own(make, tmp_path):
    (tmp_path / "hf" / "vocab.txt").unlink()
    own = {"weights": str(tmp_path / "hf"), "vocabulary": str(tmp_path / "vocab.txt")}
    check_inputs(make(model=own))


def test_misspelt_weights_give_the_nearest_name(make):
    with pytest.raises(InputError, match=r"did you mean 'minilm_l6'\?"):
        check_inputs(make(model={"weights": "minilm_16"}))


def test_a_slice_by_no_feature_is_told(make):
    gate = {"min_accuracy": 0.5, "slices": ["label", "lenght_band"]}
    with pytest.raises(InputError, match=r"'lenght_band'; did you mean 'length_band'\?"):
        check_inputs(make(gate=gate))


def test_finds_and_fingerprints(make, tmp_path):
    first = find_inputs(make())
    assert first.data == str(tmp_path / "data")
    assert first.vocabulary == str(tmp_path / "vocab.txt")
    assert (first.weights, first.weights_hash) == (None, None)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    assert find_inputs(make()).vocabulary_hash != first.vocabulary_hash
    assert find_inputs(make()).schema == first.schema


def test_weights_bring_their_vocabulary(make, tmp_path):
    found = find_inputs(make(model={"weights": str(tmp_path / "hf")}))
    assert found.vocabulary == str(tmp_path / "hf" / "vocab.txt")
    assert found.weights == str(tmp_path / "hf")
    (tmp_path / "hf" / "model.safetensors").write_text("others")
    other = find_inputs(make(model={"weights": str(tmp_path / "hf")}))
    assert other.weights_hash != found.weights_hash


def test_the_schema_holds_what_the_reader_writes(make, tmp_path):
    columns = {"site": "bytes", "age": "int64"}
    text = {"label_column": "label", "columns": columns, "classes": ["a", "b"]}
    found = find_inputs(make(data={"path": str(tmp_path / "data"), "text": text}))
    schema = text_format.Parse(Path(found.schema).read_text(), schema_pb2.Schema())
    features = {feature.name: feature for feature in schema.feature}
    assert set(features) == {"key", "text", "label", "length_band", "site", "age"}
    assert list(features["label"].string_domain.value) == ["a", "b"]
    assert features["age"].presence.min_fraction == 0  # an empty number is left out
    assert features["site"].presence.min_fraction == 1
    assert found.schema != find_inputs(make()).schema


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda f: f.stem)
def test_our_configs_have_their_inputs(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    problems = ""
    try:
        check_inputs(load_config(config_class(top_keys(file)), file))
    except InputError as error:
        problems = str(error)
    # What another config pretrains, or another command puts into runs/, need not be there yet.
    later = r"pretrained: .* run the pretraining pipeline \S+ first|data\.path: \S+/runs/\S+: no such folder"
    assert re.fullmatch(f"({later})?", problems)
