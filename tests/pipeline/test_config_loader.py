from pathlib import Path
from typing import Annotated, Literal

import pydantic
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.config import Config
from pipeline.config_loader import ConfigError, config_hash, load_config


class Csv(Config):
    format: Literal["csv"]
    delimiter: str = ","


class Parquet(Config):
    format: Literal["parquet"]
    columns: tuple[str, ...] = ()


class Training(Config):
    learning_rate: pydantic.PositiveFloat = 1e-3
    epochs: int = 1
    warm_up: float | Literal["auto"] = "auto"


class Job(Config):
    name: str
    source: Annotated[Csv | Parquet, pydantic.Field(discriminator="format")]
    more_sources: tuple[Annotated[Csv | Parquet, pydantic.Field(discriminator="format")], ...] = ()
    training: Training = Training()
    fallback: Training | None = None
    folder: Path = Path("data")
    freeze: bool = False
    optimizer: Literal["adamw", "sgd"] = "adamw"

    @pydantic.model_validator(mode="after")
    def _freezing_needs_one_epoch(self) -> "Job":
        if self.freeze and self.training.epochs > 1:
            raise ValueError("freeze: true goes with training.epochs: 1 only")
        return self


GOOD = """\
name: tiny
source:
  format: csv
training:
  learning_rate: 1e-4
"""


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        path = tmp_path / "job.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(Job, path, overrides)

    return load


@pytest.fixture
def problems(load, tmp_path):
    def problems(text, *overrides):
        with pytest.raises(ConfigError) as caught:
            load(text, *overrides)
        return [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]

    return problems


def test_a_good_file_becomes_a_typed_frozen_model(load):
    job = load(GOOD)
    assert job.training.learning_rate == 1e-4
    assert isinstance(job.source, Csv)
    assert job.folder == Path("data")
    with pytest.raises(pydantic.ValidationError):
        job.name = "other"


def test_every_problem_is_told_at_once_with_line_path_value_and_remedy(problems):
    text = """\
name: 7
source: {format: csv}
training:
  learning_rte: 0.1
  epochs: many
folder: 3
optimizer: adam
"""
    assert problems(text) == [
        f"job.yaml:1: name: found 7; expected {_TEXT}",
        "job.yaml:4: training.learning_rte: unknown key; did you mean 'learning_rate'?",
        "job.yaml:5: training.epochs: found 'many'; expected a whole number",
        f"job.yaml:6: folder: found 3; expected {_TEXT}",
        "job.yaml:7: optimizer: found 'adam'; did you mean 'adamw'?",
    ]


_TEXT = "text (quote it if it looks like a number, true, false or null)"
_GROUP = "a group of indented 'key: value' lines"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("  zzz: 1", "6: training.zzz: unknown key; valid keys are learning_rate, epochs, warm_up"),
        ("  epochs: true", "6: training.epochs: found True; expected a whole number"),
        ("  epochs: 1.5", "6: training.epochs: found 1.5; expected a whole number"),
        ("  epochs: 2\nfreeze: true", "1: freeze: true goes with training.epochs: 1 only"),
        ("fallback: 3", f"6: fallback: found 3; expected {_GROUP}"),
        (
            "fallback:\n  learning_rate: -1",
            "7: fallback.learning_rate: found -1; expected a value greater than 0",
        ),
        ("  warm_up: no", "6: training.warm_up: found 'no'; expected a number or 'auto'"),
        (
            "more_sources:\n- format: parquet\n  column: [a]",
            "8: more_sources[0].column: unknown key; did you mean 'columns'?",
        ),
        (
            "more_sources:\n- format: csw",
            "7: more_sources[0].format: found 'csw'; did you mean 'csv'?",
        ),
        (
            "more_sources:\n- {}",
            "7: more_sources[0].format: the key is missing; it is required",
        ),
        (
            "more_sources:\n- format: csv\n  delimiter: [1]",
            f"8: more_sources[0].delimiter: found [1]; expected {_TEXT}",
        ),
        ("  epochs: 1\n  epochs: 2", "7: training.epochs: the key is given twice"),
        ("  epochs: [", "7: not valid YAML: expected the node content, but found '<stream end>'"),
        ("  epochs: \x07", "6: not valid YAML: special characters are not allowed"),
    ],
)
def test_one_problem(problems, change, expected):
    assert problems(GOOD + change + "\n") == [f"job.yaml:{expected}"]


def test_a_missing_key_is_named(problems):
    assert problems("source:\n  format: csv\n") == [
        "job.yaml:1: name: the key is missing; it is required"
    ]


@pytest.mark.parametrize("text", ["", "# a comment only\n", "~"])
def test_an_empty_file(problems, text):
    assert problems(text) == [
        "job.yaml: the file is empty; copy one of configs/*.yaml to start from"
    ]


def test_a_file_that_is_no_mapping(problems):
    assert problems("- a\n")[0].startswith("job.yaml:1: found ['a']; expected a group")


def test_two_documents_and_aliases_that_loop(problems):
    assert problems(GOOD + "---\n" + GOOD)[0].startswith("job.yaml:6: not valid YAML")
    assert "refers to something it is part of" in problems("name: &a [*a]\n")[0]
    assert problems("name: !!int x\n")[0].startswith("job.yaml: not valid YAML: invalid literal")


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "pubmed.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'pubmed.yaml'\?"):
        load_config(Job, tmp_path / "pubmd.yaml")
    with pytest.raises(ConfigError, match=r"the folder .*nowhere does not exist"):
        load_config(Job, tmp_path / "nowhere" / "pubmed.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(Job, tmp_path)


def test_a_file_that_is_not_utf8(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 at byte 9"):
        load_config(Job, tmp_path / "latin.yaml")


def test_overrides_win_and_make_missing_groups(load):
    job = load(GOOD, "training.learning_rate=2e-5", "fallback.epochs=3", "name='7'", "folder=a=b")
    assert job.training.learning_rate == 2e-5
    assert job.fallback is not None
    assert job.fallback.epochs == 3
    assert job.name == "7"
    assert job.folder == Path("a=b")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epoch=3", "training.epoch: unknown key; did you mean 'epochs'?"),
        ("training.epochs=x", "training.epochs: found 'x'; expected a whole number"),
        ("training.epochs", "expected dotted.key=value"),
        ("name.first=x", "name is no group of keys; set it as a whole"),
        ("name=[", "the value '[' is not valid YAML"),
    ],
)
def test_a_wrong_override_is_quoted(problems, override, expected):
    assert problems(GOOD, override) == [f"override '{override}': {expected}"]


def test_the_hash_follows_the_settings_not_the_file(load):
    plain = config_hash(load(GOOD))
    assert plain == config_hash(load("# a comment\n" + GOOD, "training.epochs=1"))
    assert plain != config_hash(load(GOOD, "training.epochs=2"))
    assert len(plain) == 64


_KEYS = st.sampled_from([*Job.model_fields, *Training.model_fields, "format", "x"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["csv", "parquet", "auto"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
_TEXTS = st.one_of(
    _VALUES.map(yaml.safe_dump),
    st.text(max_size=40),
    st.text(alphabet="nae: \n-[]{}&*!|>#'\"0_xeb.+", max_size=40),
)


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=_TEXTS, override=st.none() | _TEXTS | _TEXTS.map(lambda value: f"name={value}"))
def test_any_text_gives_a_model_or_a_config_error(load, text, override):
    try:
        result = load(text, *([] if override is None else [override]))
    except ConfigError as error:
        result = error
    assert isinstance(result, Job) or str(result)
