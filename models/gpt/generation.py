"""Writing on from prompts, token by token, with the keys and values of earlier tokens cached."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from models.gpt.config import GptConfig
from models.gpt.model import bias
from models.gpt.sampling import choose, uniform_draws

Cache = list[tuple[tf.Tensor, tf.Tensor]]  # keys and values of each layer, [n, heads, total, size]


class Settings(NamedTuple):
    """How each row is to be continued, all [n].

    Attributes:
        max_new_tokens: int32; the most tokens to write; never more than the context less one.
        temperature: float32; 0 takes the likeliest token.
        top_k: int32; see `models.gpt.sampling.choose`.
        top_p: float32; see there.
        seed: int64; decides all chance of the row, together with `stream`.
        stream: int64; tells rows of one seed apart.
    """

    max_new_tokens: tf.Tensor
    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    seed: tf.Tensor
    stream: tf.Tensor


class _State(NamedTuple):
    """What a step changes."""

    step: tf.Tensor  # int32: tokens chosen for each row
    token: tf.Tensor  # int32 [n]: the newest
    alive: tf.Tensor  # bool [n]: whether the row goes on
    counts: tf.Tensor  # int32 [n]: tokens of its text
    written: tf.TensorArray  # of int32 [n]
    cache: Cache


class Generation:
    """A model of `build_gpt` as a writer. Works in graphs as well as eagerly.

    Args:
        model: the decoder.
        config: the decoder's size.
        end_id: what ends a text.
    """

    def __init__(self, model: keras.Model, config: GptConfig, end_id: int):
        self._config, self._end_id = config, end_id
        self._tokens = model.get_layer("token_embedding")
        self._positions = model.get_layer("position_embedding")
        names = [f"transformer_layer_{i}" for i in range(config.num_layers)]
        self._layers = [model.get_layer(name) for name in names]
        self._norm = model.get_layer("final_layer_norm")

    def __call__(self, prompts: tf.RaggedTensor, settings: Settings) -> tf.RaggedTensor:
        """Continues each prompt up to the end token or `max_new_tokens`.

        A prompt and what is to be written share the context: of a longer prompt the newest ids are kept.

        Args:
            prompts: int32 [n, (ids)], at least one id each.
            settings: for each row.

        Returns:
            int32 [n, (ids)]: the new tokens, without the end token.
        """
        context = self._config.max_sequence_length
        limits = tf.minimum(settings.max_new_tokens, context - 1)
        prompts = _newest(prompts, context - limits)
        lengths = tf.cast(prompts.row_lengths(), tf.int32)
        n, width = tf.shape(lengths)[0], _longest(lengths)
        # Prompts are padded in front: they end, and writing begins, at the same place in all rows.
        padding = width - lengths
        token_ids = prompts[:, ::-1].to_tensor(shape=tf.stack([n, width]))[:, ::-1]
        draws = uniform_draws(settings.seed, settings.stream, context)

        def take(state: _State, logits: tf.Tensor, cache: Cache) -> _State:
            token = choose(logits, *settings[1:4], draws[:, state.step])
            alive = state.alive & (token != self._end_id)
            counts = state.counts + tf.cast(alive, tf.int32)
            written = state.written.write(state.step, token)
            return _State(state.step + 1, token, alive & (counts < limits), counts, written, cache)

        def go_on(*fields: Any) -> _State:
            state = _State(*fields)
            start = width + state.step - 1
            return take(state, *self._run(state.token[:, tf.newaxis], padding, state.cache, start))

        state = self._start(limits, n, width + _longest(limits))
        state = take(state, *self._run(token_ids, padding, state.cache, tf.constant(0)))
        fields = tf.while_loop(lambda *f: tf.reduce_any(_State(*f).alive), go_on, state)
        written, counts = fields[4].stack(), fields[3]
        return tf.RaggedTensor.from_tensor(tf.transpose(written), lengths=counts)

    def _start(self, limits: tf.Tensor, n: tf.Tensor, total: tf.Tensor) -> _State:
        config = self._config
        shape = [n, config.num_heads, total, config.hidden_dim // config.num_heads]
        empty = tf.zeros(tf.stack(shape), self._layers[0].compute_dtype)
        empty = tf.ensure_shape(empty, [None, shape[1], None, shape[3]])
        return _State(
            step=tf.constant(0),
            token=tf.zeros([n], tf.int32),
            alive=limits > 0,
            counts=tf.zeros([n], tf.int32),
            written=tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=[None]),
            cache=[(empty, empty)] * config.num_layers,
        )

    def _run(
        self, token_ids: tf.Tensor, padding: tf.Tensor, cache: Cache, start: tf.Tensor
    ) -> tuple[tf.Tensor, Cache]:
        """Reads the next part of each row.

        Args:
            token_ids: int32 [n, part].
            padding: int32 [n]; places in front of each row's first token.
            cache: of what was read before.
            start: int32 scalar; the part's first place.

        Returns:
            Logits of what follows, float32 [n, vocabulary], and the cache with the part.
        """
        places = tf.range(tf.shape(cache[0][0])[2])
        here = start + tf.range(tf.shape(token_ids)[1])
        # A row that is over may run past the last position, with tokens that nobody reads.
        last = self._config.max_sequence_length - 1
        position_ids = tf.clip_by_value(here - padding[:, tf.newaxis], 0, last)
        seen = (places <= here[:, tf.newaxis]) & (places >= padding[:, tf.newaxis, tf.newaxis])
        x = self._tokens(token_ids) + self._positions(position_ids)
        extended = []
        for layer, (keys, values) in zip(self._layers, cache, strict=True):
            x, keys, values = layer.extend(x, bias(seen), keys, values, start)
            extended.append((keys, values))
        return self._tokens(self._norm(x[:, -1]), reverse=True), extended


def _newest(prompts: tf.RaggedTensor, counts: tf.Tensor) -> tf.RaggedTensor:
    """The last `counts` ids of each row, int32 [n]; all if it has fewer."""
    lengths = tf.cast(prompts.row_lengths(), tf.int32)
    starts = tf.maximum(lengths - counts, 0)
    kept = tf.gather(starts, prompts.value_rowids()) <= tf.ragged.range(lengths).values
    return tf.ragged.boolean_mask(prompts, prompts.with_values(kept))


def _longest(lengths: tf.Tensor) -> tf.Tensor:
    """The greatest of int32 [n], but at least 1."""
    return tf.reduce_max(tf.concat([lengths, [1]], axis=0))
