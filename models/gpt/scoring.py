"""How likely a model finds texts, whatever their length."""

import keras
import tensorflow as tf

from models.gpt.config import GptConfig


def log_likelihood(model: keras.Model, config: GptConfig, token_ids: tf.RaggedTensor) -> tf.Tensor:
    """The log-probability of each row's tokens after its first.

    A row that is longer than the context is read in windows of it that do not overlap, so a token is told
    from those before it in its window. Windows are read one after the other: a long text needs no more memory
    than a short one.

    Args:
        model: of `models.gpt.model.build_gpt`.
        config: the model's size.
        token_ids: int32 [n, (ids)], at least one id each; the first is what the others follow.

    Returns:
        float32 [n], nats, at most 0; 0 for a row of one id.
    """
    inputs, targets = token_ids[:, :-1], token_ids[:, 1:]
    lengths, context = inputs.row_lengths(), config.max_sequence_length
    windows = tf.ragged.range((lengths + context - 1) // context)
    rows = windows.value_rowids()
    window_lengths = tf.minimum(tf.gather(lengths, rows) - windows.values * context, context)

    def read(window: tuple[tf.RaggedTensor, tf.RaggedTensor]) -> tf.Tensor:
        given, following = window
        logits = model(
            {
                "token_ids": given[tf.newaxis],
                "sequence_ids": tf.ones_like(given)[tf.newaxis],
                "position_ids": tf.range(tf.size(given))[tf.newaxis],
            },
            training=False,
        )[0]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=following, logits=logits)
        return -tf.reduce_sum(losses)

    cut = (tf.RaggedTensor.from_row_lengths(x.values, window_lengths) for x in (inputs, targets))
    sums = tf.map_fn(read, tuple(cut), fn_output_signature=tf.TensorSpec([], tf.float32))
    return tf.math.unsorted_segment_sum(sums, rows, token_ids.nrows())
