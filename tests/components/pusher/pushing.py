"""Models of two small files, pushed by the executor as TFX calls it."""

from pathlib import Path

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.blessing import blessed_files, record_files
from components.model_card.artifact import ModelCard
from components.pusher.config import PushConfig
from components.pusher.executor import Executor

NAME = "toy"


class Push:
    """A model, its blessings and its card; `run` pushes."""

    def __init__(self, folder: Path, base: Path | None = None):
        self.folder, self.base = folder, base or folder / "serving"
        (folder / "card").mkdir(parents=True)
        for name in ("model_card.md", "model_card.json"):
            (folder / "card" / name).write_text(name)
        self.train("weights")

    @property
    def model(self) -> Path:
        return self.folder / "model/Format-Serving"

    def train(self, weights: str) -> None:
        """Another model, which is blessed."""
        (self.model / "variables").mkdir(parents=True, exist_ok=True)
        (self.model / "saved_model.pb").write_text("graph")
        (self.model / "variables/weights").write_text(weights)
        self.bless()

    def bless(self) -> None:
        model = self.artifact(standard_artifacts.Model, "model")
        self.gate = self.artifact(standard_artifacts.ModelBlessing, "blessing")
        self.infra = self.artifact(standard_artifacts.InfraBlessing, "infra")
        for blessing, judge in ((self.gate, "Evaluator"), (self.infra, "ServingValidator")):
            record_files(blessing, blessed_files(model), judge)
            blessing.set_int_custom_property("blessed", 1)
        self.infra.set_string_custom_property("blessing_status", "INFRA_BLESSED")

    def artifact(self, kind: type, name: str):
        made = kind()
        made.uri = str(self.folder / name)
        return made

    def run(self, run_id: str | None = None, **config) -> standard_artifacts.PushedModel:
        filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(self.base))
        destination = pusher_pb2.PushDestination(filesystem=filesystem)
        pushed = self.artifact(standard_artifacts.PushedModel, "pushed")
        Executor(BaseExecutor.Context(pipeline_run_id=run_id)).Do(
            {
                "model": [self.artifact(standard_artifacts.Model, "model")],
                "model_blessing": [self.gate],
                "infra_blessing": [self.infra],
                "model_card": [self.artifact(ModelCard, "card")],
            },
            {"pushed_model": [pushed]},
            {
                "push_destination": proto_utils.proto_to_json(destination),
                "config": PushConfig(**config).model_dump_json(),
                "model_name": NAME,
            },
        )
        return pushed

    def push(self, weights: str, **config) -> int:
        """Trains and pushes; the number of the version."""
        self.train(weights)
        return int(self.run(**config).get_string_custom_property("pushed_version"))
