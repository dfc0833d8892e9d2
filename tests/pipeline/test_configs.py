"""What a config may not ask for, and that ours are sound."""

import re
from pathlib import Path

import pydantic
import pytest

from pipeline.config_loader import ConfigError, load_config, top_keys
from pipeline.configs import PipelineConfig
from pipeline.pretrain_config import MethodConfig, config_class

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "configs").glob("*.yaml"))
SPLITS = {"eval": 0.1, "test": 0.2}
MEDLINE = {"label": {"mesh_areas": "areas.tsv", "classes": ["a", "b"]}, "splits": SPLITS}
TEXT = {"label_column": "label", "splits": SPLITS}
BACKBONE = {
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 8,
    "max_sequence_length": 64,
}


def config(data=None, model=None, **changes) -> dict:
    return {
        "name": "tiny",
        "data": data or {"path": "data", "text": TEXT},
        "model": model or {"weights": "minilm_l6"},
        "gate": {"min_accuracy": 0.5},
    } | changes


def tuning(**search) -> dict:
    return {"max_trials": 2, "search": search}


@pytest.mark.parametrize(
    "good",
    [
        config(),
        config(data={"dataset": "pubmed_sample", "medline": MEDLINE}),
        config(model={"backbone": BACKBONE, "vocabulary": "vocab.txt", "max_length": 64}),
        config(model={"weights": "a/folder", "vocabulary": "vocab.txt"}),
        config(tuning=tuning(batch_size=[8, 16], epochs={"min": 1, "max": 5})),
    ],
)
def test_sound_configs(good):
    assert PipelineConfig.model_validate(good).name == "tiny"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (config(data={"text": TEXT}), "give either dataset (a known name) or path (a folder)"),
        (
            config(data={"dataset": "hpo_patients", "path": "data", "text": TEXT}),
            "give either dataset (a known name) or path (a folder)",
        ),
        (config(data={"path": "data"}), "give either medline or text"),
        (
            config(data={"path": "data", "medline": MEDLINE, "text": TEXT}),
            "give either medline or text",
        ),
        (
            config(data={"path": "data", "text": TEXT | {"splits": {"eval": 0.1, "test": 0}}}),
            "splits.test is 0, but the gate needs a test split",
        ),
        (
            config(data={"path": "data", "medline": {"splits": SPLITS}}),
            "medline.label is missing: a classifier needs labels",
        ),
        (
            config(data={"path": "data", "text": {"splits": SPLITS}}),
            "text.label_column is missing: a classifier needs labels",
        ),
        (
            config(model={"max_length": 64}),
            "give one of weights (a name or a folder), pretrained (a run)",
        ),
        (
            config(model={"weights": "w", "backbone": BACKBONE, "vocabulary": "v"}),
            "give one of weights (a name or a folder), pretrained (a run)",
        ),
        (
            config(model={"backbone": BACKBONE}),
            "vocabulary is missing: a backbone without weights brings none",
        ),
        (
            config(model={"backbone": BACKBONE, "vocabulary": "v", "max_length": 65}),
            "max_length 65 is above backbone.max_sequence_length 64",
        ),
        (
            config(model={"backbone": BACKBONE | {"hidden_dim": 9}, "vocabulary": "v"}),
            "hidden_dim 9 is no multiple of num_heads 2",
        ),
        (
            config(gate={"min_accuracy": 0.5, "slice_min_accuracy": {"year_band": 0.5}}),
            "slice_min_accuracy names ['year_band'], which slices does not",
        ),
        (config(gate={"min_accuracy": 50}), "less than or equal to 1"),
        (config(name="Tiny Model"), "should match pattern"),
        (config(training={"epochs": 0}), "greater than or equal to 1"),
        (config(training={"optimizer": {"learning_rate": 0}}), "greater than 0"),
        (config(validation={"max_bad_fraction": 1.5}), "less than or equal to 1"),
        (config(tuning=tuning(batchsize=[8, 16])), "did you mean 'batch_size'?"),
        (config(tuning=tuning(batch_size=[8, 0])), "tuning.search.batch_size: 0: "),
        (
            config(tuning=tuning(epochs=[1, 2]), training={"strategy": "multi_worker"}),
            "tuning runs its trials in one process",
        ),
        (config(epochs=3), "Extra inputs are not permitted"),
    ],
)
def test_impossible_configs_are_refused(bad, message):
    with pytest.raises(pydantic.ValidationError, match=re.escape(message)):
        PipelineConfig.model_validate(bad)


def test_settings_cannot_be_changed_later():
    settings = PipelineConfig.model_validate(config())
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.root = "elsewhere"


def test_a_files_error_names_the_nested_key(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "name: tiny\n"
        "data: {path: data, text: {label_column: label}}\n"
        "model: {weights: minilm_l6}\n"
        "gate: {min_accuracy: 0.5}\n"
        "training:\n"
        "  optimizer:\n"
        "    learning_rat: 1e-4\n"
    )
    with pytest.raises(ConfigError) as error:
        load_config(PipelineConfig, file)
    [problem] = error.value.problems
    assert problem.startswith(f"{file}:7: training.optimizer.learning_rat")
    assert "learning_rate" in problem.replace("learning_rat:", "")


def test_a_files_error_in_a_search_names_its_line(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "name: tiny\n"
        "data: {path: data, text: {label_column: label, splits: {eval: 0.1, test: 0.1}}}\n"
        "model: {weights: minilm_l6}\n"
        "gate: {min_accuracy: 0.5}\n"
        "tuning:\n"
        "  max_trials: 2\n"
        "  search:\n"
        "    batch_size: [8, 16]\n"
        "    optimizer.learning_rate: {min: 1e-5}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_config(PipelineConfig, file)
    assert error.value.problems == (
        f"{file}:9: tuning.search.optimizer.learning_rate.max: the key is missing; it is required",
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_our_configs_load_and_open_with_their_command(file):
    settings = load_config(config_class(top_keys(file)), file)
    first = file.read_text().splitlines()[0]
    assert first == f"# python -m pipeline run --config configs/{file.name}"
    last = settings.finetune if isinstance(settings, MethodConfig) else settings
    assert last.name == file.stem


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_our_configs_name_files_that_exist(file):
    settings = load_config(config_class(top_keys(file)), file)
    lines = (
        [settings.pretrain, settings.finetune] if isinstance(settings, MethodConfig) else [settings]
    )
    for data in (line.data for line in lines):
        for path in (data.path, *data.reader.files()):
            # What another command puts into runs/ need not be there yet.
            assert path is None or path.startswith("runs/") or (ROOT / path).exists()


def test_there_are_configs():
    assert len(FILES) >= 3
