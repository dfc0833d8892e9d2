"""Every pair found is one, nearly every pair is found, and order does not matter."""

import itertools
import random

import hypothesis
import numpy as np
import pydantic
import pytest
from hypothesis import strategies as st

from components.near_duplicates.config import NearDuplicateConfig
from components.near_duplicates.search import find_duplicates
from components.near_duplicates.sketches import Sketches, normalised_words, sketch

CONFIG = NearDuplicateConfig(shingle_words=2, similarity=0.5)


def shingles(text, size=2) -> set[tuple[str, ...]]:
    words = normalised_words(text)
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


def jaccard(one, other, size=2) -> float:
    one, other = shingles(one, size), shingles(other, size)
    return len(one & other) / len(one | other)


def found(texts, config=CONFIG) -> dict[frozenset[str], float]:
    """Similarities by pair of (distinct) texts."""
    duplicates = find_duplicates(sketch(texts, config), config)
    text_of = dict(zip(duplicates.nodes, texts, strict=True))
    pairs = zip(duplicates.pairs.tolist(), duplicates.similarities.tolist(), strict=True)
    return {frozenset((text_of[a], text_of[b])): similarity for (a, b), similarity in pairs}


def families(count=60, members=4, seed=0) -> list[str]:
    """Texts of forty words, in families that differ in 0 to 6 words."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        base = [f"w{rng.randrange(500)}" for _ in range(40)]
        for _ in range(members):
            words = list(base)
            for place in rng.sample(range(40), rng.randint(0, 6)):
                words[place] = f"w{rng.randrange(500)}"
            texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("size", [1, 2, 3])
def test_finds_what_a_comparison_of_all_with_all_finds(size):
    """Independent reference: Python sets. Above .6 a pair is missed once in 80 at most."""
    config = NearDuplicateConfig(shingle_words=size, similarity=0.5)
    texts = sorted(set(families()))
    expected = {
        frozenset(pair): similarity
        for pair in itertools.combinations(texts, 2)
        if (similarity := jaccard(*pair, size)) >= 0.5
    }
    pairs = found(texts, config)
    assert pairs.items() <= expected.items()  # exactly equal similarities, and no false pair
    sure = {pair for pair, similarity in expected.items() if similarity >= 0.6}
    assert len(sure & pairs.keys()) > 0.97 * len(sure) > 40


@hypothesis.given(st.lists(st.text(alphabet="ab .,Ä\n", max_size=20), min_size=1, max_size=12))
def test_small_texts_are_compared_as_sets(texts):
    for pair, similarity in found(texts).items():
        assert similarity == pytest.approx(jaccard(*pair))
        assert similarity >= 0.5


def test_order_and_batches_do_not_matter():
    texts = families(20)
    pairs = found(texts)
    random.Random(1).shuffle(texts)
    assert found(texts) == pairs
    parts = [sketch(texts[start : start + 7], CONFIG) for start in range(0, len(texts), 7)]
    joined, whole = Sketches.joined(parts), sketch(texts, CONFIG)
    for name in ("identities", "signatures", "counts", "shingles"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_case_punctuation_and_width_make_no_difference():
    texts = ["The heart, fails.", "the HEART fails", "ｔｈｅ heart\nfails!", "the heart does fail"]
    nodes = find_duplicates(sketch(texts, CONFIG), CONFIG).nodes
    assert nodes[0] == nodes[1] == nodes[2] != nodes[3]


def test_texts_without_words_are_no_duplicates_of_each_other():
    texts = ["!!!", "???", "! ! !", "!  ! !", ""]
    nodes = find_duplicates(sketch(texts, CONFIG), CONFIG).nodes
    assert len(set(nodes.tolist())) == 4
    assert nodes[2] == nodes[3]


def test_a_crowd_of_like_texts_is_not_compared_all_with_all():
    """600 texts that share 38 of 40 words: of 179,700 pairs some are passed over, and none is wrong."""
    rng = random.Random(0)
    head = " ".join(f"w{i}" for i in range(38))
    texts = [f"{head} a{i} b{rng.randrange(9)}" for i in range(600)]
    duplicates = find_duplicates(sketch(texts, CONFIG), CONFIG)
    assert duplicates.passed_over > 100_000
    assert 600 <= len(duplicates.pairs) < 600 * 599 // 2
    assert duplicates.similarities.min() >= 0.5
    # Still every text is known to have a near duplicate.
    assert set(duplicates.pairs.ravel().tolist()) == set(range(600))


def test_neighbours_are_symmetric():
    duplicates = find_duplicates(sketch(families(5), CONFIG), CONFIG)
    matrix = duplicates.neighbours().toarray()
    assert (matrix == matrix.T).all()
    assert matrix.sum() == 2 * len(duplicates.pairs) > 0
    assert matrix.diagonal().sum() == 0


def test_one_text_alone():
    duplicates = find_duplicates(sketch(["alone"], CONFIG), CONFIG)
    assert duplicates.size == 1
    assert duplicates.pairs.shape == (0, 2)


@pytest.mark.parametrize("settings", [{"similarity": 0.1}, {"shingle_words": 0}])
def test_settings_that_find_everything_are_refused(settings):
    with pytest.raises(pydantic.ValidationError):
        NearDuplicateConfig(**settings)
