"""The VocabularyGen component."""

import hashlib
from pathlib import Path

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.vocabulary_gen import executor
from components.vocabulary_gen.artifact import Vocabulary
from components.vocabulary_gen.config import VocabularyConfig


class VocabularyGenSpec(ComponentSpec):
    """Inputs, outputs and parameters of VocabularyGen."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
        "files_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"vocabulary": ChannelParameter(type=Vocabulary)}


class VocabularyGen(base_beam_component.BaseBeamComponent):
    """Learns a vocabulary from the train split, or imports one.

    The output `vocabulary` holds `vocab.txt` (kind "wordpiece") or `sentencepiece.model` ("bpe"), and
    `report.json`: its kind and number of tokens, and of the splits train and eval

    - `texts`, `words`, `distinct_words`;
    - `pieces`, `pieces_per_word`;
    - `unknown_rate`: share of the words that are [UNK] ("wordpiece"), of the pieces that are single bytes
      because no token has the character ("bpe"); `coverage` is the rest of 1.

    Args:
        examples: of an ExampleGen, with `text`.
        config: the settings.
        files_fingerprint: of the vocabulary to import, if it is not to be read here; "" if there is none.

    Raises:
        FileNotFoundError: the vocabulary to import is missing.
    """

    SPEC_CLASS = VocabularyGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        config: VocabularyConfig,
        files_fingerprint: str | None = None,
    ):
        if files_fingerprint is None:
            files_fingerprint = " ".join(
                hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] for path in config.files()
            )
        super().__init__(
            VocabularyGenSpec(
                examples=examples,
                config=config.model_dump_json(),
                code_fingerprint=code_fingerprint(executor.__name__),
                files_fingerprint=files_fingerprint,
                vocabulary=types.Channel(type=Vocabulary),
            )
        )
