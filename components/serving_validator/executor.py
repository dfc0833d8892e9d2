"""ServingValidator's work: serve the candidate, ask it every way in, compare."""

import contextlib
import os
import time
from collections.abc import Sequence
from concurrent import futures
from typing import Any

from absl import logging
from tfx.components.infra_validator import error_types, serving_bins
from tfx.components.infra_validator import executor as infra_validator_executor
from tfx.dsl.io import fileio
from tfx.proto import infra_validator_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import path_utils

from components.blessing import blessed_files, record_files
from components.serving_validator import questions, servers
from components.serving_validator.classifier_questions import ClassifierAsker
from components.serving_validator.comparison import Comparison, compare, failed
from components.serving_validator.generator_questions import GeneratorAsker
from components.serving_validator.questions import Asker, Question
from components.serving_validator.report import Report, reason
from models.language_model import GENERATOR_FOLDER
from serving.transports import ClientError, GrpcTransport, RestTransport

NUM_EXAMPLES_KEY = "num_examples"
EXAMPLES_SPLIT_KEY = "examples_split"
TOLERANCE_KEY = "tolerance"

REASON_PROPERTY = "reason"

_ASK_SECONDS = 120.0  # for one request
_MAX_PROPERTY = 1_000  # characters of the reason that go into the metadata store


class Executor(infra_validator_executor.Executor):
    """InfraValidator's executor, asking not "does it answer?" but "does it answer as in process?".

    What surrounds the question (copying the model into a server's layout, tries, blessing) is
    TFX's own.
    """

    def Do(
        self,
        input_dict: dict[str, list],
        output_dict: dict[str, list],
        exec_properties: dict[str, Any],
    ) -> None:
        """See InfraValidator. A candidate that fails is an outcome, not an exception."""
        single = artifact_utils.get_single_instance
        self._model = single(input_dict[standard_component_specs.MODEL_KEY])
        self._examples = single(input_dict[standard_component_specs.EXAMPLES_KEY])
        self._blessing = single(output_dict[standard_component_specs.BLESSING_KEY])
        self._exec_properties = exec_properties
        files = blessed_files(self._model)
        super().Do(input_dict, output_dict, exec_properties)
        record_files(self._blessing, files, "ServingValidator")

    def _ValidateOnce(
        self,
        model_path: str,
        serving_binary: serving_bins.ServingBinary,
        serving_spec: infra_validator_pb2.ServingSpec,
        validation_spec: infra_validator_pb2.ValidationSpec,
        requests: list,
    ) -> None:
        """TFX's hook: it catches what this raises, and then writes INFRA_NOT_BLESSED."""
        start = time.monotonic()
        comparisons: list[Comparison] = []
        server = ""
        try:
            # A server needs seconds to start; meanwhile the model answers in process.
            with futures.ThreadPoolExecutor(1) as pool:
                asked = pool.submit(self._questions)
                with servers.serve(
                    model_path,
                    serving_binary,
                    serving_spec,
                    validation_spec.max_loading_time_seconds,
                ) as endpoints:
                    server = endpoints.description
                    comparisons = _ask(endpoints, serving_spec.model_name, asked.result())
            why_not = reason(comparisons)
        except error_types.GracefulShutdown:
            raise
        except Exception as error:  # the server's, the data's or the model's: each is the reason
            why_not = f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - start, 2)
        tolerance = self._exec_properties[TOLERANCE_KEY]
        self._tell(Report(why_not, server, tolerance, seconds, comparisons))
        if why_not:
            raise error_types.ValidationFailed(why_not)

    def _questions(self) -> list[Question]:
        """What is asked, with the model's own answers."""
        split = self._exec_properties[EXAMPLES_SPLIT_KEY]
        rows = questions.read_rows(
            artifact_utils.get_split_uri([self._examples], split),
            self._exec_properties[NUM_EXAMPLES_KEY],
        )
        asker = _asker(self._model.uri, self._exec_properties[TOLERANCE_KEY])
        return [
            *asker.questions(f"{split} rows", rows),
            *asker.questions("hostile texts", questions.hostile_rows(rows[0])),
        ]

    def _tell(self, report: Report) -> None:
        self._blessing.set_string_custom_property(REASON_PROPERTY, report.reason[:_MAX_PROPERTY])
        path = report.write(self._blessing.uri)
        if report.blessed:
            logging.info("The served answers are the model's own: %s", path)
        else:
            logging.error("Serving validation failed: %s (%s)", report.reason, path)


def _asker(model_uri: str, tolerance: float) -> Asker:
    """Of the kind of model that the artifact holds.

    Raises:
        ValueError: it holds neither a classifier nor a generator.
    """
    classifier = os.path.join(model_uri, "classifier")
    generator = os.path.join(path_utils.serving_model_path(model_uri), GENERATOR_FOLDER)
    if fileio.isdir(classifier):
        return ClassifierAsker(classifier, tolerance)
    if fileio.isdir(generator):
        return GeneratorAsker(generator, tolerance)
    raise ValueError(f"there is neither a classifier in {classifier} nor a GPT in {generator}")


def _ask(
    endpoints: servers.Endpoints, model_name: str, asked: Sequence[Question]
) -> list[Comparison]:
    """Every question, over gRPC and REST."""
    comparisons = []
    for name, make, target in (
        ("gRPC", GrpcTransport, endpoints.grpc_target),
        ("REST", RestTransport, endpoints.rest_target),
    ):
        with contextlib.closing(make(target, model_name, _ASK_SECONDS)) as transport:
            for question in asked:
                path = f"{name} {question.name}"
                try:
                    answer = transport.ask(question.signature, question.inputs)
                except ClientError as error:
                    comparisons.append(failed(path, question.texts, str(error)))
                else:
                    comparisons.append(compare(path, question, answer))
    return comparisons
