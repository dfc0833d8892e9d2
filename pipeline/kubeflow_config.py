"""Where and with what a line runs on a cluster: the `kubeflow` section of a config."""

from typing import Literal

import pydantic

from models.config import Config
from pipeline.beam_args import BeamArgs, is_remote


class TolerationConfig(Config):
    """A taint of nodes that a step may nevertheless run on (Kubernetes' own words)."""

    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @pydantic.model_validator(mode="after")
    def _value_fits(self) -> "TolerationConfig":
        if (self.value is None) == (self.operator == "Equal"):
            raise ValueError("operator Equal needs a value, Exists takes none")
        return self


class StepConfig(Config):
    """What one step gets; a field that is not given is the cluster's default.

    Attributes:
        cpu: the most cores.
        memory_gb: the most memory, in 10^9 bytes.
        accelerator: a Kubernetes resource, such as nvidia.com/gpu or google.com/tpu; on Vertex its own name,
            such as NVIDIA_TESLA_T4.
        accelerator_count: how many of them.
        node_selector: labels that the node must have.
        tolerations: taints that it may have.
        retries: how often a failed step is tried again.
        retry_seconds: pause before the first retry, doubled with each further one.
        timeout_seconds: a step that takes longer is ended.
        cache: whether a step with the same inputs as before is left out.
        image: of this step; the section's by default.
    """

    cpu: float | None = pydantic.Field(default=None, gt=0)
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    accelerator: str | None = None
    accelerator_count: int = pydantic.Field(default=1, ge=1)
    node_selector: dict[str, str] = {}
    tolerations: tuple[TolerationConfig, ...] = ()
    retries: int = pydantic.Field(default=0, ge=0)
    retry_seconds: int = pydantic.Field(default=60, ge=0)
    timeout_seconds: int | None = pydantic.Field(default=None, ge=1)
    cache: bool = True
    image: str | None = None


class VolumeConfig(Config):
    """A persistent volume claim that every step sees."""

    claim: str
    path: str = pydantic.Field(pattern=r"^/")


class VertexConfig(Config):
    """Where on Vertex AI a custom job trains.

    Attributes:
        project: of Google's cloud.
        region: of it.
        machine_type: of each worker; its accelerators are those of the step Trainer.
    """

    project: str
    region: str
    machine_type: str = "n1-standard-8"


class WorkersConfig(Config):
    """Training by several processes, to which the Trainer hands over.

    Attributes:
        count: workers, each with the resources of the step Trainer.
        shared: they are a TFJob of the Kubeflow Training Operator, and this is a folder on a volume of the
            section, through which the step and the workers pass files.
        namespace: of that job; that of the step by default.
        vertex: or they are a custom job of Vertex AI, where every bucket is a folder below /gcs anyway.
    """

    count: int = pydantic.Field(ge=2)
    shared: str | None = pydantic.Field(default=None, pattern=r"^/")
    namespace: str | None = None
    vertex: VertexConfig | None = None

    @pydantic.model_validator(mode="after")
    def _one_place(self) -> "WorkersConfig":
        if (self.shared is None) == (self.vertex is None):
            raise ValueError(
                "give either shared (a folder, for a TFJob) or vertex (project and region)"
            )
        return self


class ClusterConfig(Config):
    """How `submit` reaches Kubeflow Pipelines.

    Attributes:
        host: URL of the API; the cluster that this process runs in by default.
        namespace: of a multi-user installation.
        service_account: that the steps run as.
        experiment: that the run is listed under.
    """

    host: str | None = None
    namespace: str | None = None
    service_account: str | None = None
    experiment: str = "sciformer"


class KubeflowConfig(Config):
    """A line on Kubeflow Pipelines. Every path is one that the steps see, not the submitting machine.

    Attributes:
        image: that holds this project, its configs and what they name.
        pipeline_root: artifacts are written below: gs://, s3://, minio://, or a path of the local executor.
        data: folder of the data files.
        weights: Hugging Face folder, if the config has `model.weights` or `model.pretrained`.
        vocabulary: path of the vocab.txt; the weights' own by default.
        serving: blessed models are pushed below, each as a version.
        checkpoints: a training under way is saved below, so that a retried step goes on.
        spec: version of the pipeline format. Kubeflow Pipelines runs 2.1; 2.0 is for older Vertex.
        parameters: keys of the config that each run may set anew.
        step: what every step gets.
        steps: what single steps get instead, by component id; fields that are not given are `step`'s.
        volumes: persistent volume claims.
        image_pull_secrets: by name.
        workers: multi-worker training.
        beam_args: options of the Beam runner there, instead of the config's own.
        setup_file: what Beam installs on remote workers; the path in the image.
        cluster: how to submit.
    """

    image: str
    pipeline_root: str
    data: str
    weights: str | None = None
    vocabulary: str | None = None
    serving: str
    checkpoints: str
    spec: Literal["2.0", "2.1"] = "2.1"
    parameters: tuple[str, ...] = (
        "data",
        "training.epochs",
        "training.optimizer.learning_rate",
        "training.seed",
    )
    step: StepConfig = StepConfig()
    steps: dict[str, StepConfig] = {}
    volumes: tuple[VolumeConfig, ...] = ()
    image_pull_secrets: tuple[str, ...] = ()
    workers: WorkersConfig | None = None
    beam_args: BeamArgs = ()
    setup_file: str = "/app/setup.py"
    cluster: ClusterConfig = ClusterConfig()

    @pydantic.model_validator(mode="after")
    def _workers_share_a_volume(self) -> "KubeflowConfig":
        shared = self.workers.shared if self.workers else None
        paths = [volume.path.rstrip("/") + "/" for volume in self.volumes]
        if shared and not any(f"{shared}/".startswith(path) for path in paths):
            raise ValueError(
                f"workers.shared {shared} is on none of the volumes "
                f"({', '.join(paths) or 'there are none'}): the workers would not see its files"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _vertex_sees_the_files(self) -> "KubeflowConfig":
        if self.workers and self.workers.vertex:
            if not self.pipeline_root.startswith("gs://"):
                raise ValueError(
                    f"pipeline_root {self.pipeline_root}: workers.vertex needs it on gs://"
                )
            if not self.checkpoints.startswith("/gcs/"):
                raise ValueError(
                    f"checkpoints {self.checkpoints}: workers.vertex needs them below /gcs/, which "
                    "all workers see"
                )
        return self

    def of_step(self, name: str) -> StepConfig:
        """What the step of this id gets."""
        own = self.steps.get(name)
        if own is None:
            return self.step
        return self.step.model_copy(
            update={field: getattr(own, field) for field in own.model_fields_set}
        )

    @property
    def all_beam_args(self) -> tuple[str, ...]:
        """The Beam options, with what remote workers need to have our code."""
        has_setup = any(arg.startswith("--setup_file=") for arg in self.beam_args)
        is_needed = is_remote(self.beam_args) and not has_setup
        return self.beam_args + (f"--setup_file={self.setup_file}",) * is_needed
