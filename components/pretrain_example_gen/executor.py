"""The Beam pipeline from raw documents to packed rows of token ids."""

import os
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.beam_executor import BeamExecutor, split_files
from components.pretrain_example_gen import workers
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.held_out import HeldOut
from components.pretrain_example_gen.shards import write_report
from components.pretrain_example_gen.text import text_reader
from components.vocabulary_gen.config import SENTENCEPIECE_FILE, WORDPIECE_FILE

SPLITS = ["train", "eval"]
VOCABULARY_FOLDER = "vocabulary"


class Executor(BeamExecutor):
    """Writes the train and eval splits as rows for pretraining.

    A document's shard is a hash of its key, its place in the shard a hash of key, text and seed, and all
    random choices follow from the seed and the shard: the files are the same whatever the number of workers.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the pipeline.

        Args:
            input_dict: `examples`, with `key` and `text`, and `vocabulary`, one artifact each.
            output_dict: `pretrain_examples`.
            exec_properties: `config`, a JSON dump of PretrainExamplesConfig.

        Raises:
            ValueError: a split is missing or gives no row, the vocabulary is not the objective's, or a key
                does not fit the rule.
            HeldOutError: a held-out document was written.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = PretrainExamplesConfig.model_validate_json(exec_properties["config"])
        source = artifact_utils.get_single_instance(input_dict["examples"])
        target = artifact_utils.get_single_instance(output_dict["pretrain_examples"])
        files = {split: split_files(source, split) for split in SPLITS}
        target.split_names = artifact_utils.encode_split_names(SPLITS)
        examples_utils.set_payload_format(target, example_gen_pb2.FORMAT_TF_EXAMPLE)
        vocabulary = os.path.join(target.uri, VOCABULARY_FOLDER)
        _copy_vocabulary(artifact_utils.get_single_uri(input_dict["vocabulary"]), vocabulary)
        text_reader(config, vocabulary)  # a wrong vocabulary is an error before any work
        held_out = HeldOut(config)

        with self._make_beam_pipeline() as pipeline:
            counts = []
            for split in SPLITS:
                folder = artifact_utils.get_split_uri([target], split)
                fileio.makedirs(folder)
                work = workers.Work(split, config, held_out, vocabulary, folder)
                counts += _split(pipeline, files[split], work)
            _ = (
                counts
                | "AllCounts" >> beam.Flatten()
                | "SumCounts" >> beam.CombineGlobally(workers.sum_counts)
                | "Report" >> beam.Map(write_report, target.uri, SPLITS, config)
            )


def _split(
    pipeline: beam.Pipeline, files: list[str], work: workers.Work
) -> list[beam.PCollection[workers.Totals]]:
    """Writes the rows of a split; gives what was counted on the way."""
    name = work.split
    tokenized = (
        pipeline
        | f"Files[{name}]" >> beam.Create(files)
        | f"Read[{name}]" >> beam.FlatMap(workers.read)
        | f"Spread[{name}]" >> beam.Reshuffle()
        | f"Tokenize[{name}]"
        >> beam.ParDo(workers.Tokenize(work)).with_outputs(workers.COUNTS, main="documents")
    )
    shards = beam.pvalue.AsSingleton(
        tokenized["documents"]
        | f"Count[{name}]" >> beam.Map(len)
        | f"CountAll[{name}]" >> beam.CombineGlobally(sum)
        | f"Shards[{name}]" >> beam.Map(workers.count_shards, work.config.documents_per_shard)
    )
    written = (
        tokenized["documents"]
        | f"Divide[{name}]" >> beam.FlatMap(workers.divide, shards)
        | f"Shard[{name}]" >> beam.GroupByKey()
        | f"Write[{name}]" >> beam.ParDo(workers.Write(work), shards)
    )
    return [tokenized[workers.COUNTS], written]


def _copy_vocabulary(source: str, target: str) -> None:
    fileio.makedirs(target)
    for name in (WORDPIECE_FILE, SENTENCEPIECE_FILE):
        if fileio.exists(os.path.join(source, name)):
            fileio.copy(os.path.join(source, name), os.path.join(target, name), overwrite=True)
