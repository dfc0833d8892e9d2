"""Pairs beside a plain implementation of their definition, and the other objectives' sequences."""

import random

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from components.pretrain_example_gen.documents import Documents
from components.pretrain_example_gen.sequences import (
    full_sentences,
    joined_documents,
    sentence_pairs,
)


def flat(documents: list[list[list[int]]]) -> Documents:
    sentences = [sentence for document in documents for sentence in document]
    return Documents(
        [str(n).encode() for n in range(len(documents))],
        np.arange(len(documents), dtype=np.uint64),
        np.array([len(document) for document in documents], np.int64),
        np.array([len(sentence) for sentence in sentences], np.int64),
        np.array([token for sentence in sentences for token in sentence], np.int32),
    )


def corpus(number: int, longest: int, seed: int) -> list[list[list[int]]]:
    """Documents of 1 to 12 sentences whose ids are all different."""
    draw = random.Random(seed)
    next_id = iter(range(10_000_000))
    return [
        [
            [next(next_id) for _ in range(draw.randint(1, longest))]
            for _ in range(draw.choice((1, 2, 4, 8, 12)))
        ]
        for _ in range(number)
    ]


def reference_pairs(documents, max_tokens, short_fraction, draw):
    """BERT's pairs as the paper's code defines them, token by token: (A, B, is random)."""
    pairs = []
    for number, document in enumerate(documents):
        target = max_tokens
        if draw.random() < short_fraction:
            target = draw.randint(2, max_tokens)
        chunk, length, place = [], 0, 0
        while place < len(document):
            chunk.append(document[place])
            length += len(document[place])
            if place == len(document) - 1 or length >= target:
                cut = draw.randint(1, len(chunk) - 1) if len(chunk) > 1 else 1
                a = [token for sentence in chunk[:cut] for token in sentence]
                is_random = len(chunk) == 1 or draw.random() < 0.5
                if is_random:
                    b = []
                    other = draw.choice([n for n in range(len(documents)) if n != number])
                    for sentence in documents[other][draw.randrange(len(documents[other])) :]:
                        b += sentence
                        if len(b) >= target - len(a):
                            break
                    place -= len(chunk) - cut
                else:
                    b = [token for sentence in chunk[cut:] for token in sentence]
                while len(a) + len(b) > max_tokens:
                    longer = a if len(a) > len(b) else b
                    del longer[0 if draw.random() < 0.5 else -1]
                pairs.append((a, b, is_random))
                chunk, length = [], 0
            place += 1
    return pairs


def our_pairs(documents, max_tokens, short_fraction, seed):
    ids = flat(documents)
    made = sentence_pairs(ids, max_tokens, short_fraction, seed)
    for firsts, lengths, is_random in zip(
        made.firsts, made.lengths, made.is_random_next, strict=True
    ):
        a, b = (
            ids.token_ids[first : first + length].tolist()
            for first, length in zip(firsts, lengths, strict=True)
        )
        yield a, b, bool(is_random)


def figures(pairs, documents, max_tokens):
    """What is compared of many pairs: name -> one number a pair."""
    owners = {t: n for n, document in enumerate(documents) for s in document for t in s}
    begins = {s[0] for document in documents for s in document}
    return {
        "random next": [r for _, _, r in pairs],
        "length of A": [len(a) for a, _, _ in pairs],
        "length of B, random": [len(b) for _, b, r in pairs if r],
        "length of B, real": [len(b) for _, b, r in pairs if not r],
        "length": [len(a) + len(b) for a, b, _ in pairs],
        "filled": [len(a) + len(b) == max_tokens for a, b, _ in pairs],
        "short": [len(a) + len(b) < max_tokens // 3 for a, b, _ in pairs],
        "A begins a sentence": [a[0] in begins for a, _, _ in pairs],
        "B begins a sentence": [b[0] in begins for _, b, _ in pairs],
        "same document": [owners[a[0]] == owners[b[0]] for a, b, _ in pairs],
    }


@pytest.mark.parametrize("short_fraction", [0.0, 0.1, 1.0])
def test_pairs_are_distributed_as_the_definition_says(short_fraction):
    documents, max_tokens = corpus(1500, 12, seed=1), 40
    ours, theirs = (
        [pair for seed in range(3) for pair in make(seed)]
        for make in (
            lambda seed: our_pairs(documents, max_tokens, short_fraction, str(seed)),
            lambda seed: reference_pairs(
                documents, max_tokens, short_fraction, random.Random(seed)
            ),
        )
    )
    assert len(ours) == pytest.approx(len(theirs), rel=0.03)
    ours, theirs = (figures(pairs, documents, max_tokens) for pairs in (ours, theirs))
    for name in ours:
        # Means within five standard errors, and the two distributions in whole.
        one, other = (np.array(found[name], float) for found in (ours, theirs))
        error = 5 * np.sqrt(one.var() / len(one) + other.var() / len(other)) + 1e-12
        assert abs(one.mean() - other.mean()) <= error, name
        histograms = [
            np.bincount(values.astype(int), minlength=max_tokens + 1) / len(values)
            for values in (one, other)
        ]
        distance = np.abs(np.cumsum(histograms[0]) - np.cumsum(histograms[1])).max()
        assert distance < 2.5 * np.sqrt(1 / len(one) + 1 / len(other)), name  # Kolmogorov-Smirnov


def test_the_share_of_documents_with_a_short_target():
    # Of sentences of one id a pair that is not random is exactly as long as the target.
    documents = [[[number * 100 + sentence] for sentence in range(60)] for number in range(4000)]
    first_pairs = {}
    for a, b, is_random in our_pairs(documents, 20, 0.1, "s"):
        first_pairs.setdefault(a[0] // 100, (len(a) + len(b), is_random))
    lengths = [length for length, is_random in first_pairs.values() if not is_random]
    assert len(lengths) == pytest.approx(2000, abs=160)
    shorter = [length for length in lengths if length < 20]
    assert len(shorter) / len(lengths) == pytest.approx(0.1 * 18 / 19, abs=0.033)
    assert set(shorter) == set(range(2, 20))


@hypothesis.given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=2, max_size=6),
    st.integers(2, 20),
    st.text(max_size=3),
)
def test_pairs_keep_their_promises(shapes, max_tokens, seed):
    next_id = iter(range(100_000))
    documents = [[[next(next_id) for _ in range(n)] for n in shape] for shape in shapes]
    owners = {t: n for n, document in enumerate(documents) for s in document for t in s}
    pairs = list(our_pairs(documents, max_tokens, 0.3, seed))
    assert pairs == list(our_pairs(documents, max_tokens, 0.3, seed))
    for a, b, is_random in pairs:
        assert a
        assert b
        assert len(a) + len(b) <= max_tokens
        assert a == list(range(a[0], a[0] + len(a)))
        assert b == list(range(b[0], b[0] + len(b)))
        assert (owners[a[0]] != owners[b[0]]) == is_random
    # No document is skipped.
    assert {owners[a[0]] for a, _, _ in pairs} == set(range(len(documents)))


SEPARATOR = -1


def reference_full_sentences(documents, max_tokens):
    """FULL-SENTENCES as the paper defines it, sentence by sentence: (ids, their documents)."""
    sequences, ids, owners = [], [], []
    for number, document in enumerate(documents):
        for whole in document:
            for first in range(0, len(whole), max_tokens):
                sentence = whole[first : first + max_tokens]
                between = [SEPARATOR] if owners and owners[-1] != number else []
                if ids and len(ids) + len(between) + len(sentence) > max_tokens:
                    sequences.append((ids, owners))
                    ids, owners, between = [], [], []
                ids = ids + between + sentence
                owners = owners if number in owners else [*owners, number]
    return [*sequences, (ids, owners)]


def our_full_sentences(documents, max_tokens):
    separated = flat(documents).separated(SEPARATOR)
    made = full_sentences(separated, max_tokens)
    assert made.is_random_next.tolist() == [-1] * len(made)
    assert not made.lengths[:, 1].any()
    assert not made.document_counts[:, 1].any()
    for firsts, lengths, owners, counts in zip(
        made.firsts, made.lengths, made.documents, made.document_counts, strict=True
    ):
        ids = separated.token_ids[firsts[0] : firsts[0] + lengths[0]].tolist()
        yield ids, list(range(owners[0], owners[0] + counts[0]))


def test_full_sentences_cross_documents_with_a_separator_between():
    documents = [[[1, 2], [3, 4], [5, 6, 7]], [[8]], [[9, 10, 11, 12, 13, 14, 15], [16]]]
    assert list(our_full_sentences(documents, 5)) == [
        ([1, 2, 3, 4], [0]),
        ([5, 6, 7, SEPARATOR, 8], [0, 1]),
        ([9, 10, 11, 12, 13], [2]),
        ([14, 15, 16], [2]),
    ]


@hypothesis.given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=8),
    st.integers(1, 20),
)
def test_full_sentences_are_those_of_the_definition(shapes, max_tokens):
    next_id = iter(range(100_000))
    documents = [[[next(next_id) for _ in range(n)] for n in shape] for shape in shapes]
    expected = reference_full_sentences(documents, max_tokens)
    assert list(our_full_sentences(documents, max_tokens)) == expected


@hypothesis.given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 12))
def test_joined_documents_fill_every_row_but_the_last(lengths, max_length):
    next_id = iter(range(1000))
    documents = flat([[[next(next_id) for _ in range(length)]] for length in lengths])
    made, sizes = joined_documents(documents, max_length)
    assert sum(sizes) == len(made)
    rows = np.split(np.arange(len(made)), np.cumsum(sizes)[:-1])
    row_lengths = [int(made.lengths[row, 0].sum()) for row in rows]
    assert all(length == max_length for length in row_lengths[:-1])
    assert 0 < row_lengths[-1] <= max_length
    found = [
        t
        for f, n in zip(made.firsts[:, 0], made.lengths[:, 0], strict=True)
        for t in range(f, f + n)
    ]
    assert found == list(range(sum(lengths)))
    owners = np.repeat(np.arange(len(lengths)), lengths)
    for first, length, document in zip(
        made.firsts[:, 0], made.lengths[:, 0], made.documents[:, 0], strict=True
    ):
        assert set(owners[first : first + length]) == {document}
