"""The preprocessing function and the statistics options of the TFX Transform component."""

from typing import Any

import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.transform.stats_options_util import StatsType

from components.fingerprint import code_fingerprint
from models.config import TaskName
from models.examples import EXAMPLE_WEIGHT, LABEL_ID, TARGET
from models.tokenizer import PAD, UNK, BertTokenizer, read_vocabulary

TOKEN_IDS = "token_ids"
LABEL_VOCABULARY = "label"


def preprocessing_config(
    vocabulary: str,
    vocabulary_hash: str,
    max_length: int,
    has_weights: bool = False,
    task: TaskName = "single_label",
    pairs: bool = False,
) -> dict[str, Any]:
    """The Transform component's `custom_config`, which is also its cache key.

    Args:
        vocabulary: path of a vocab.txt.
        vocabulary_hash: of the file's content, so that another file at the same path is noticed.
        max_length: the most ids of a text or pair.
        has_weights: whether the examples' weights are to be passed on.
        task: what the labels are.
        pairs: whether texts come in pairs.
    """
    return {
        "vocabulary": vocabulary,
        "vocabulary_hash": vocabulary_hash,
        "max_length": max_length,
        "has_weights": has_weights,
        "task": task,
        "pairs": pairs,
        "code_fingerprint": code_fingerprint(__name__),
    }


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Tokenizes the text and numbers the labels.

    Args:
        inputs: raw features by name; `text` (string, one), of pairs `text_pair` (likewise) and `label` are
            used: a string, any number of strings (multi_label), or a float (regression).
        custom_config: what `preprocessing_config` gave.

    Returns:
        `token_ids` (int64, unpadded, at most max_length a row) and `label_id` (int64 [n]; the classes of
        the train split by falling frequency; -1 for an empty or an unseen label; of multi_label any number a
        row), or of regression `target` (float32 [n], in the label's own units); with weights also
        `example_weight` (float32 [n], 1 where there is none).
    """
    tokenizer = BertTokenizer(
        read_vocabulary(custom_config["vocabulary"]), custom_config["max_length"]
    )
    pairs = _dense(inputs["text_pair"]) if custom_config["pairs"] else None
    token_ids = tokenizer(_dense(inputs["text"]), pairs)
    outputs = {TOKEN_IDS: tf.cast(token_ids, tf.int64).to_sparse()}
    task, label = custom_config["task"], inputs["label"]
    if task == "regression":
        outputs[TARGET] = _dense(label, 0.0)
    else:
        names = label if task == "multi_label" else _dense(label)
        outputs[LABEL_ID] = tft.compute_and_apply_vocabulary(names, vocab_filename=LABEL_VOCABULARY)
    if custom_config["has_weights"]:
        outputs[EXAMPLE_WEIGHT] = _dense(inputs[EXAMPLE_WEIGHT], 1.0)
    return outputs


def stats_options_updater_fn(
    stats_type: StatsType, stats_options: tfdv.StatsOptions, custom_config: dict[str, Any]
) -> tfdv.StatsOptions:
    """Asks TFDV for natural-language statistics of the token ids, against the model's own vocabulary.

    They are taken after Transform, since only there do tokens exist: coverage (share of ids that are not
    [UNK]), token lengths, sequence lengths.
    """
    if stats_type != StatsType.POST_TRANSFORM:
        return stats_options
    schema = stats_options.schema
    feature = next(f for f in schema.feature if f.name == TOKEN_IDS)
    feature.natural_language_domain.CopyFrom(
        schema_pb2.NaturalLanguageDomain(
            vocabulary="bert",
            coverage=schema_pb2.FeatureCoverageConstraints(
                excluded_string_tokens=[PAD], oov_string_tokens=[UNK]
            ),
        )
    )
    stats_options.schema = schema
    stats_options.vocab_paths = {"bert": custom_config["vocabulary"]}
    stats_options.enable_semantic_domain_stats = True
    return stats_options


def _dense(feature: tf.Tensor | tf.SparseTensor, default: str | float = "") -> tf.Tensor:
    """One value a row, whether the schema made the feature dense or optional."""
    if isinstance(feature, tf.SparseTensor):
        feature = tf.sparse.to_dense(
            tf.SparseTensor(feature.indices, feature.values, [feature.dense_shape[0], 1]),
            default_value=default,
        )
    return tf.reshape(feature, [-1])
