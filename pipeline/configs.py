"""The settings of a whole run: what a file in `configs/` holds."""

from pathlib import Path
from typing import Annotated, Protocol

import pydantic

from components.data_audit.config import AuditConfig
from components.data_validator.config import ValidationConfig
from components.evaluator.config import GateConfig
from components.evaluator.names import LABEL, METRICS
from components.medline_example_gen.config import MedlineConfig
from components.mitigation.config import MitigationConfig
from components.model_card.config import ModelCardConfig
from components.pusher.config import PushConfig
from components.serving_validator.config import ServingValidationConfig
from components.text_example_gen.config import TextConfig
from components.tuner.config import TuningConfig, check_search
from models.config import BackboneConfig, Config, Pooling, TrainingConfig
from pipeline.beam_args import BeamArgs
from pipeline.continuous.config import ContinuousConfig
from pipeline.kubeflow_config import KubeflowConfig

_LABELS = {"single_label": "classes", "multi_label": "several classes", "regression": "numbers"}
Name = Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]


class DataConfig(Config):
    """Where the data is and how it is read.

    Attributes:
        dataset: a data set by name (`python -m pipeline fetch --list`), fetched once.
        path: or a folder of one's own.
        medline: settings for MEDLINE XML.
        text: or settings for CSV, JSON Lines, Parquet, plain text or TFRecord.
    """

    dataset: str | None = None
    path: str | None = None
    medline: MedlineConfig | None = None
    text: TextConfig | None = None

    @pydantic.model_validator(mode="after")
    def _one_of_each(self) -> "DataConfig":
        if (self.dataset is None) == (self.path is None):
            raise ValueError("give either dataset (a known name) or path (a folder)")
        if (self.medline is None) == (self.text is None):
            raise ValueError("give either medline or text, with the reader's settings")
        return self

    @property
    def reader(self) -> MedlineConfig | TextConfig:
        """The reader's settings, whichever is given."""
        reader = self.medline or self.text
        assert reader is not None
        return reader


class LabelledDataConfig(DataConfig):
    """Data that a classifier can be trained and judged on."""

    @pydantic.model_validator(mode="after")
    def _has_labels_and_test(self) -> "LabelledDataConfig":
        if self.reader.splits.test == 0:
            raise ValueError("splits.test is 0, but the gate needs a test split")
        if self.medline and not self.medline.label:
            raise ValueError("medline.label is missing: a classifier needs labels")
        if self.text and not self.text.label_column:
            raise ValueError("text.label_column is missing: a classifier needs labels")
        return self


class PretrainedConfig(Config):
    """An encoder that the pretraining line has pushed.

    Attributes:
        pipeline: name of the pretraining pipeline.
        run: one of its run ids; the latest blessed one by default.
        root: the folder of its runs.
    """

    pipeline: Name
    run: str = "latest"
    root: str = "runs"


class ModelConfig(Config):
    """Which encoder is fine-tuned.

    Attributes:
        weights: pretrained weights, by name or as a Hugging Face folder.
        pretrained: or those of a run of the pretraining line.
        backbone: or the size of an encoder that starts from random weights.
        vocabulary: path of a vocab.txt; the weights' own by default.
        warm_start: go on from the stable pushed model, the head included, where there is one of other data
            and of the same vocabulary and size; the above is for the first run then.
        max_length: longer texts are cut to so many ids.
        pooling: what the head sees: the tokens' mean or maximum, or [CLS].
        embedding_pooling: what the served signature `embed` gives; by default what the head sees.
    """

    weights: str | None = None
    pretrained: PretrainedConfig | None = None
    backbone: BackboneConfig | None = None
    vocabulary: str | None = None
    warm_start: bool = False
    max_length: int = pydantic.Field(default=128, ge=3, le=512)
    pooling: Pooling = "mean"
    embedding_pooling: Pooling | None = None

    @pydantic.model_validator(mode="after")
    def _one_start(self) -> "ModelConfig":
        if sum(x is not None for x in (self.weights, self.pretrained, self.backbone)) != 1:
            raise ValueError(
                "give one of weights (a name or a folder), pretrained (a run) or backbone (sizes)"
            )
        if self.backbone and not self.vocabulary:
            raise ValueError("vocabulary is missing: a backbone without weights brings none")
        if self.backbone and self.max_length > self.backbone.max_sequence_length:
            raise ValueError(
                f"max_length {self.max_length} is above backbone.max_sequence_length "
                f"{self.backbone.max_sequence_length}"
            )
        return self


class PipelineConfig(Config):
    """One run of the fine-tuning line.

    Attributes:
        name: of the pipeline; its runs, cache and pushed models live in `<root>/<name>/`.
        audit: limits on duplicates, label conflicts and leakage; without one the audit warns.
        mitigation: weighs or augments the training examples of unequal groups; off if not given.
        tuning: searches for settings of `training` before the model is trained; off if not given.
        model_card: what only people know of the model.
        push: how many versions are kept, and whether a new one is on trial first.
        continuous: when a canary takes over, as new spans of data come in.
        root: folder of all runs.
        beam_args: options of the Beam runner, e.g. `--direct_running_mode=multi_processing`.
        kubeflow: how the same line runs on a cluster; a local run does not look at it.
    """

    name: Name
    data: LabelledDataConfig
    model: ModelConfig
    gate: GateConfig
    validation: ValidationConfig = ValidationConfig()
    audit: AuditConfig = AuditConfig()
    mitigation: MitigationConfig | None = None
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig | None = None
    serving_validation: ServingValidationConfig = ServingValidationConfig()
    model_card: ModelCardConfig = ModelCardConfig()
    push: PushConfig = PushConfig()
    continuous: ContinuousConfig = ContinuousConfig()
    root: str = "runs"
    beam_args: BeamArgs = ()
    kubeflow: KubeflowConfig | None = None

    @pydantic.model_validator(mode="after")
    def _tuning_fits_training(self) -> "PipelineConfig":
        if self.tuning:
            check_search(self.tuning, self.training)
        if self.tuning and self.model.warm_start:
            raise ValueError(
                "model.warm_start does not go with tuning: the trials start from model.weights, so that what "
                "suits them would be taken for a training that starts elsewhere"
            )
        return self

    @property
    def judged_by(self) -> GateConfig:
        """The gate, which looks at no slices by a label that is a number."""
        if self.data.reader.task != "regression":
            return self.gate
        slices = tuple(name for name in self.gate.slices if name != LABEL)
        return self.gate.model_copy(update={"slices": slices})

    @pydantic.model_validator(mode="after")
    def _settings_fit_task(self) -> "PipelineConfig":
        task, gate = self.data.reader.task, self.gate
        known = METRICS[task]
        for name in (*gate.floors, *gate.max):
            if name.partition(":")[0] not in known:
                raise ValueError(
                    f"gate: {name!r} is not measured where labels are {_LABELS[task]}; there are "
                    f"{', '.join(known)}"
                )
        if task == "regression":
            for key, is_set in (
                ("gate.slice_min_accuracy", gate.slice_min_accuracy),
                ("gate.fairness", gate.fairness),
                ("training.balance_classes", self.training.balance_classes),
            ):
                if is_set:
                    raise ValueError(f"{key} is about classes, but the labels are numbers")
        if self.mitigation and self.mitigation.reweight and task != "single_label":
            raise ValueError(
                f"mitigation.reweight needs one class a text, but labels are {_LABELS[task]}; augment works"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _pair_has_room(self) -> "PipelineConfig":
        if self.data.reader.has_pairs and self.model.max_length < 5:
            raise ValueError(
                f"model.max_length {self.model.max_length} leaves a pair nothing beside [CLS] and two [SEP]"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _mitigated_attribute_is_measured(self) -> "PipelineConfig":
        if self.mitigation:
            known = self.gate.fairness.attributes if self.gate.fairness else {}
            name = self.mitigation.attribute
            if name not in known:
                raise ValueError(
                    f"mitigation.attribute is {name!r}, but gate.fairness.attributes has "
                    f"{', '.join(known) or 'nothing'}: what is worked on must be measured, too"
                )
            if self.mitigation.augment and not known[name].can_swap:
                raise ValueError(
                    f"mitigation.augment cannot swap the words of {name!r}: that takes rule: sex, or words "
                    "of two groups with equally many words"
                )
        return self


class RunConfig(Protocol):
    """What the settings of every line have."""

    @property
    def name(self) -> str:
        """Of the pipeline."""

    @property
    def root(self) -> str:
        """Folder of all runs."""


def local_paths(config: RunConfig) -> dict[str, Path]:
    """Where a local run of this config keeps its things."""
    base = Path(config.root, config.name).resolve()
    return {
        "artifacts": base / "artifacts",
        "metadata": base / "metadata.sqlite",
        "checkpoints": base / "checkpoints",
        "serving": base / "serving" / config.name,
        "runs": base,
    }


def short_path(path: Path) -> Path:
    """The path as a person in the current folder would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
