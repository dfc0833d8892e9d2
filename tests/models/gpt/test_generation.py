"""The cache changes nothing: a text is what step-by-step decoding without it writes."""

import numpy as np
import pytest
import tensorflow as tf

from models.gpt.generation import Generation, Settings
from models.gpt.model import build_gpt
from models.precision import precision

CONTEXT, END = 24, 2
PROMPTS = [[2], [2, 9, 200, 31], [2, *range(60, 71)], [2, *range(100, 150)], [77]]


def settings(n, max_new_tokens=12, temperature=0.0, top_k=0, top_p=1.0, seed=0) -> Settings:
    return Settings(
        max_new_tokens=tf.broadcast_to(tf.constant(max_new_tokens, tf.int32), [n]),
        temperature=tf.fill([n], temperature),
        top_k=tf.fill([n], top_k),
        top_p=tf.fill([n], top_p),
        seed=tf.broadcast_to(tf.constant(seed, tf.int64), [n]),
        stream=tf.range(n, dtype=tf.int64),
    )


@pytest.fixture(scope="module")
def gpt(make_gpt):
    """Weights so large that each of the tokens before matters."""
    model = make_gpt()
    for variable in model.trainable_variables:
        if "embedding" in variable.path or "attention" in variable.path:
            variable.assign(variable * 3)
    return model


@pytest.fixture(scope="module")
def write(gpt, gpt_config):
    """Prompts and settings → lists of new ids, from one graph."""
    generation = Generation(gpt, gpt_config, END)
    specs = Settings(
        *(tf.TensorSpec([None], t) for t in (tf.int32, tf.float32, tf.int32, tf.float32)),
        *(tf.TensorSpec([None], tf.int64) for _ in range(2)),
    )
    prompts = tf.RaggedTensorSpec([None, None], tf.int32)
    call = tf.function(generation, input_signature=[prompts, specs], autograph=False)

    def write(rows, **changes):
        ragged = tf.ragged.constant(rows, tf.int32, ragged_rank=1)
        return call(ragged, settings(len(rows), **changes)).to_list()

    return write


def step_by_step(model, prompt, max_new_tokens, end=END) -> list[int]:
    """Greedy decoding by the whole model, once a token."""
    ids = list(prompt[-(CONTEXT - max_new_tokens) :])
    written: list[int] = []
    while len(written) < max_new_tokens:
        row = tf.constant([ids + written])
        inputs = {
            "token_ids": row,
            "sequence_ids": tf.ones_like(row),
            "position_ids": tf.range(row.shape[1])[None],
        }
        token = int(np.argmax(model(inputs)[0, -1]))
        if token == end:
            break
        written.append(token)
    return written


def test_greedy_texts_are_those_of_decoding_without_a_cache(write, gpt):
    expected = [step_by_step(gpt, prompt, 12) for prompt in PROMPTS]
    assert len({token for ids in expected for token in ids}) > 8  # not always the same
    assert write(PROMPTS) == expected


@pytest.mark.parametrize("row", range(len(PROMPTS)))
def test_neighbours_change_nothing(write, row):
    assert write([PROMPTS[row]]) == [write(PROMPTS)[row]]


def test_a_text_ends_at_the_end_token(gpt, gpt_config):
    free = step_by_step(gpt, PROMPTS[1], 12, end=None)
    end = free[4]
    n = free.index(end)
    written = Generation(gpt, gpt_config, end)(tf.ragged.constant(PROMPTS[1:3]), settings(2))
    assert written.to_list()[0] == free[:n]
    assert written.to_list()[1] == step_by_step(gpt, PROMPTS[2], 12, end=end)


def test_each_row_has_its_own_limit(write, gpt):
    limits = [5, 0, 1, 23, 12]
    expected = [step_by_step(gpt, *case) for case in zip(PROMPTS, limits, strict=True)]
    assert write(PROMPTS, max_new_tokens=limits) == expected
    assert [len(ids) for ids in expected] == limits  # no end token came in between


def test_more_than_the_context_is_not_written(write):
    [written] = write([PROMPTS[3]], max_new_tokens=1000)
    assert written == write([PROMPTS[3][-1:]], max_new_tokens=CONTEXT - 1)[0]
    assert len(written) == CONTEXT - 1


def test_of_a_long_prompt_the_newest_ids_count(write):
    kept = PROMPTS[3][-(CONTEXT - 12) :]
    assert write([PROMPTS[3]]) == write([kept])
    assert write([[5, *kept[1:]]]) != write([kept])


def test_no_prompts(write):
    assert write([]) == []


def test_a_seed_gives_the_same_texts_and_another_gives_others(write):
    rows = [PROMPTS[1]] * 4
    first = write(rows, temperature=1.0, seed=3)
    assert write(rows, temperature=1.0, seed=3) == first
    assert write(rows, temperature=1.0, seed=4) != first
    assert len({tuple(ids) for ids in first}) == 4


def test_a_row_of_a_batch_is_the_row_alone(write):
    """Its chance, too, does not depend on what stands beside it."""
    together = write([PROMPTS[0], PROMPTS[2]], temperature=1.0, max_new_tokens=[3, 20], seed=[5, 6])
    assert write([PROMPTS[0]], temperature=1.0, max_new_tokens=[3], seed=[5]) == together[:1]


def test_only_the_likeliest_are_sampled(write, gpt):
    """Every token is among the top 3 of what the model says of all before it."""
    prompt = PROMPTS[2]
    texts = write([prompt] * 8, temperature=2.0, top_k=3, seed=1)
    assert len({tuple(ids) for ids in texts}) > 4
    for text in texts:
        row = tf.constant([prompt + text])
        inputs = {
            "token_ids": row,
            "sequence_ids": tf.ones_like(row),
            "position_ids": tf.range(row.shape[1])[None],
        }
        likeliest = np.argsort(-gpt(inputs).numpy()[0], axis=-1)[:, :3]
        for place, token in enumerate(text, start=len(prompt) - 1):
            assert token in likeliest[place]


def test_first_tokens_come_as_often_as_the_model_says(write, gpt):
    rows = 3000
    texts = write([[9]] * rows, temperature=1.0, max_new_tokens=1, seed=2)
    row = tf.constant([[9]])
    logits = gpt({"token_ids": row, "sequence_ids": row, "position_ids": row * 0}).numpy()[0, 0]
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    found = np.bincount([ids[0] for ids in texts if ids], minlength=280) / rows
    expected[END] = 0  # writes nothing
    deviations = np.sqrt(expected * (1 - expected) / rows)
    assert (np.abs(found - expected) <= 5 * deviations + 2 / rows).all()


def test_bfloat16_writes_too(gpt, gpt_config):
    with precision("mixed_bfloat16"):
        model = build_gpt(gpt_config)
    model.set_weights(gpt.get_weights())
    written = Generation(model, gpt_config, END)(tf.ragged.constant(PROMPTS), settings(5))
    assert all(written.row_lengths().numpy() > 0)
