"""The PretrainExampleGen component."""

import hashlib
from pathlib import Path

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.pretrain_example_gen import executor
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.vocabulary_gen.artifact import Vocabulary


class PretrainExampleGenSpec(ComponentSpec):
    """Inputs, outputs and parameters of PretrainExampleGen."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
        "files_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "vocabulary": ChannelParameter(type=Vocabulary),
    }
    OUTPUTS = {"pretrain_examples": ChannelParameter(type=standard_artifacts.Examples)}


class PretrainExampleGen(base_beam_component.BaseBeamComponent):
    """Turns documents into the rows of token ids that a language model is pretrained on.

    Reads the splits train and eval, never test. The output `pretrain_examples` has the same two, in gzipped
    TFRecord; a tf.Example is a row of at most `config.max_length` ids, unmasked and unpadded:

    - `token_ids`: ids of all the row's sequences, one sequence after the other;
    - `sequence_lengths` [k]: of each sequence;
    - `second_starts` [k] (not "clm"): where segment B begins in its sequence, its length if there is none;
    - `is_random_next` [k] (not "clm"): 1 random, 0 real next segment, -1 no segment B;
    - `document_keys`: of all documents in the row.

    Beside the splits lie `vocabulary/`, a copy, and `report.json` with counts and packing efficiency.

    Args:
        examples: of an ExampleGen, with `key` and `text`.
        vocabulary: `vocab.txt` for "mlm_nsp" and "mlm", `sentencepiece.model` for "clm".
        config: the settings.

    Raises:
        FileNotFoundError: a file the settings name is missing.
    """

    SPEC_CLASS = PretrainExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        vocabulary: types.BaseChannel,
        config: PretrainExamplesConfig,
    ):
        fingerprints = (
            hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] for path in config.files()
        )
        super().__init__(
            PretrainExampleGenSpec(
                examples=examples,
                vocabulary=vocabulary,
                config=config.model_dump_json(),
                code_fingerprint=code_fingerprint(executor.__name__),
                files_fingerprint=" ".join(fingerprints),
                pretrain_examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
