"""All near-duplicate pairs among sketched texts: bands of MinHash find candidates, exact Jaccard decides."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
from datasketch import MinHashLSH
from scipy import sparse

from components.near_duplicates.config import NearDuplicateConfig
from components.near_duplicates.sketches import PERMUTATIONS, Sketches

# A missed pair is worse than a needless comparison.
_WEIGHTS = (0.1, 0.9)  # of false candidates and of missed pairs
_NEIGHBOURS = 100  # of a text, compared with it in one bucket
_SLACK = 0.2  # 4.5 standard errors of a similarity estimated from 128 permutations
_CHUNK = 1 << 14  # pairs
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """What was found; the same whatever the order of the texts.

    Attributes:
        nodes: int64 [texts], which of the distinct normalised texts each is.
        pairs: int64 [pairs, 2], distinct texts that are near duplicates; first < second, ascending.
        similarities: float64 [pairs], Jaccard.
        passed_over: candidate pairs, over all bands, that were not compared, because more than
            100 texts were alike in a band.
    """

    nodes: np.ndarray
    pairs: np.ndarray
    similarities: np.ndarray
    passed_over: int

    @property
    def size(self) -> int:
        """Number of distinct texts."""
        return int(self.nodes.max(initial=-1)) + 1

    def neighbours(self) -> sparse.csr_matrix:
        """Which distinct texts are near duplicates: int64 0 or 1 [size, size], symmetric, empty diagonal."""
        first, second = self.pairs.T
        ones = np.ones(2 * len(first), np.int64)
        places = (np.concatenate([first, second]), np.concatenate([second, first]))
        return sparse.csr_matrix((ones, places), shape=(self.size, self.size))


def find_duplicates(sketches: Sketches, config: NearDuplicateConfig) -> Duplicates:
    """Finds exact and near duplicates.

    The signatures are cut into bands of rows; texts that are equal in a band are candidates (Leskovec,
    Rajaraman, Ullman, Mining of Massive Datasets, section 3.4). Bands and rows are datasketch's optimum for
    the similarity. With the default of .5 these are 32 bands of 4 rows: two texts are found with a
    probability of .87 at a similarity of .5, .988 at .6, .9998 at .7. Every pair given is verified: there are
    no false ones.

    Args:
        sketches: of the texts, in any order.
        config: the similarity asked.
    """
    _, firsts, nodes = np.unique(sketches.identities, return_index=True, return_inverse=True)
    candidates, passed_over = _candidates(sketches.signatures[firsts], config.similarity)
    shingles = _matrix(sketches)[firsts]
    similarities = _similarities(shingles, candidates)
    near = similarities >= config.similarity
    return Duplicates(nodes, candidates[near], similarities[near], passed_over)


def _candidates(signatures: np.ndarray, similarity: float) -> tuple[np.ndarray, int]:
    """Pairs that are worth a comparison, int64 [n, 2], and how many were passed over."""
    bands, rows = _bands(similarity)
    codes, passed_over = np.zeros(0, np.int64), 0
    for band in range(bands):
        pairs, left = _band_pairs(signatures[:, band * rows : (band + 1) * rows])
        passed_over += left
        fresh = np.setdiff1d(pairs[:, 0] * len(signatures) + pairs[:, 1], codes)
        pairs = np.stack(np.divmod(fresh, len(signatures)), axis=1)
        near = [
            np.mean(signatures[part[:, 0]] == signatures[part[:, 1]], axis=1) >= similarity - _SLACK
            for part in _chunks(pairs)
        ]
        if near:
            codes = np.union1d(codes, fresh[np.concatenate(near)])
    return np.stack(np.divmod(codes, max(1, len(signatures))), axis=1), passed_over


@functools.cache
def _bands(similarity: float) -> tuple[int, int]:
    """Number of bands and their rows."""
    index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=_WEIGHTS)
    return index.b, index.r


def _band_pairs(band: np.ndarray) -> tuple[np.ndarray, int]:
    """Pairs of rows that are equal, each row with at most its next _NEIGHBOURS; and how many are left out."""
    keys = np.zeros(len(band), np.uint64)
    for column in band.T:
        keys = (keys + column) * _MULTIPLIER
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    pairs = [np.zeros((0, 2), np.int64)]
    places = np.arange(len(keys))
    for offset in range(1, _NEIGHBOURS + 1):
        places = places[: np.searchsorted(places, len(keys) - offset)]
        places = places[keys[places] == keys[places + offset]]
        if not len(places):
            break
        pairs.append(np.stack([order[places], order[places + offset]], axis=1))
    found = np.sort(np.concatenate(pairs), axis=1)
    _, sizes = np.unique(keys, return_counts=True)
    return found, int(np.sum(sizes * (sizes - 1) // 2)) - len(found)


def _matrix(sketches: Sketches) -> sparse.csr_matrix:
    """Which shingles each text has, int32 0 or 1 [texts, distinct shingles]."""
    distinct, columns = np.unique(sketches.shingles, return_inverse=True)
    starts = np.concatenate([[0], np.cumsum(sketches.counts)])
    ones = np.ones(len(columns), np.int32)
    return sparse.csr_matrix((ones, columns, starts), shape=(len(sketches), len(distinct)))


def _similarities(shingles: sparse.csr_matrix, pairs: np.ndarray) -> np.ndarray:
    """Jaccard similarity of pairs of rows, float64 [n]."""
    sizes = np.diff(shingles.indptr)
    found = [np.zeros(0)]
    for part in _chunks(pairs):
        first, second = part.T
        shared = np.asarray(shingles[first].multiply(shingles[second]).sum(axis=1)).ravel()
        found.append(shared / (sizes[first] + sizes[second] - shared))
    return np.concatenate(found)


def _chunks(pairs: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(pairs), _CHUNK):
        yield pairs[start : start + _CHUNK]
