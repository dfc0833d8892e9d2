"""ServingValidator: serves the candidate and holds its answers against the model's own."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import infra_validator_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components.fingerprint import code_fingerprint
from components.serving_validator import executor
from serving import official_image


class ServingValidatorSpec(standard_component_specs.InfraValidatorSpec):
    """InfraValidator's, with what to ask and how close the answers must be."""

    PARAMETERS = {
        **standard_component_specs.InfraValidatorSpec.PARAMETERS,
        executor.EXAMPLES_SPLIT_KEY: component_spec.ExecutionParameter(type=str),
        executor.NUM_EXAMPLES_KEY: component_spec.ExecutionParameter(type=int),
        executor.TOLERANCE_KEY: component_spec.ExecutionParameter(type=float),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        **standard_component_specs.InfraValidatorSpec.INPUTS,
        standard_component_specs.EXAMPLES_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Examples
        ),
    }


class ServingValidator(base_component.BaseComponent):
    """Blesses a model whose served answers are those it gives in process.

    InfraValidator in all but the class, which TFX refuses to compile for Kubeflow Pipelines.

    The candidate is served by a separate process: the official tensorflow/serving image where a
    docker daemon answers, our development server otherwise. It is asked over gRPC and over REST
    about rows of the data and about hostile texts (empty, very long, Unicode, emoji).

    A classifier, `models.classifier.TextClassifier` in the model artifact's `classifier/`, gets raw
    texts (`serving_text`, `embed`) and serialized tf.Examples (`serving_default`, `classify` or `regress`,
    `transform_features`): labels and token ids must be equal, probabilities within `tolerance`, numbers
    within `tolerance` times their size and the labels' standard deviation, and embeddings within it as a
    share of their largest component. A GPT, `models.gpt.text_generator.TextGenerator` among the
    SavedModel's extra assets, has to judge the texts (`score`, `serving_default`), with log-likelihoods
    within `tolerance`, and to write on from them (`generate`): greedily what step-by-step decoding without
    a cache writes, by chance what the same seed gives in process.

    Output `blessing` is the stock InfraBlessing, so the stock Pusher takes it as `infra_blessing`.
    It also holds `validation.json` (every way asked, the largest difference, each mismatch), and
    the custom property `reason` says why a candidate was not blessed.
    """

    SPEC_CLASS = ServingValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        examples_split: str = "eval",
        num_examples: int = 32,
        tolerance: float = 1e-5,
        serving_spec: infra_validator_pb2.ServingSpec | None = None,
        validation_spec: infra_validator_pb2.ValidationSpec | None = None,
    ):
        """Describes the component.

        Args:
            model: channel of one Model, a classifier or a GPT.
            examples: channel of one Examples with a bytes feature `text`.
            examples_split: the split the rows are drawn from.
            num_examples: how many of its rows are asked.
            tolerance: largest absolute difference of a probability, or of a log-likelihood in
                nats a token, that still agrees.
            serving_spec: which tensorflow/serving image to run where docker answers; the one of
                serving/deploy by default.
            validation_spec: how long a server may take to load the model (120 s by default) and
                how often to try (once by default: a wrong answer stays wrong).

        Raises:
            ValueError: for a serving platform other than local docker, or nothing to ask.
        """
        serving_spec = serving_spec or infra_validator_pb2.ServingSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[official_image.TAG]),
            local_docker=infra_validator_pb2.LocalDockerConfig(),
        )
        if serving_spec.WhichOneof("serving_platform") != "local_docker":
            raise ValueError("serving_spec: the serving platform must be local_docker")
        if num_examples < 1:
            raise ValueError(f"num_examples: {num_examples}, expected at least 1")
        spec = ServingValidatorSpec(
            model=model,
            examples=examples,
            blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            serving_spec=serving_spec,
            validation_spec=validation_spec
            or infra_validator_pb2.ValidationSpec(max_loading_time_seconds=120, num_tries=1),
            examples_split=examples_split,
            num_examples=num_examples,
            tolerance=tolerance,
            # The server runs as a process of its own: no import leads from here to it.
            code_fingerprint=code_fingerprint(executor.__name__)
            + code_fingerprint("serving.server"),
        )
        super().__init__(spec=spec)
