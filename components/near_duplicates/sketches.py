"""Texts as sets of hashed word shingles, with MinHash signatures."""

import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from datasketch import MinHash

from components.near_duplicates.config import NearDuplicateConfig

PERMUTATIONS = 128
_WORD = re.compile(r"\w+")
_MOST_WORDS = 1_000_000  # remembered with their hash
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: 2^64 over the golden ratio
_SHIFT = np.uint64(32)


@dataclasses.dataclass(frozen=True, eq=False)
class Sketches:
    """What is kept of some texts to find duplicates among them: of an abstract about 2 kB.

    Attributes:
        identities: uint64 [texts], hash of the normalised text; equal for exact duplicates.
        signatures: uint32 [texts, PERMUTATIONS] (MinHash).
        counts: int64 [texts], distinct shingles of each, at least 1.
        shingles: uint64 [sum of counts], hashes in ascending order within a text.
    """

    identities: np.ndarray
    signatures: np.ndarray
    counts: np.ndarray
    shingles: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Sketches"]) -> "Sketches":
        """All texts of at least one part."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __len__(self) -> int:
        return len(self.identities)


def normalised_words(text: str) -> list[str]:
    """A text's words without case and punctuation; of a text without any word, all between its blanks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(folded) or [" ".join(folded.split())]


def sketch(texts: Sequence[str], config: NearDuplicateConfig) -> Sketches:
    """Sketches texts; the same text always gives the same sketch.

    Args:
        texts: at least one.
        config: what a shingle is.
    """
    words = [normalised_words(text) for text in texts]
    counts, shingles = _shingles(words, config.shingle_words)
    short = (shingles >> _SHIFT).tolist()  # MinHash takes 32 bits; int() leaves them as they are
    ends = np.cumsum(counts).tolist()
    sets = (short[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True))
    hashes = MinHash.generator(sets, num_perm=PERMUTATIONS, hashfunc=int, scheme="affine32")
    return Sketches(
        identities=np.array([_hash(" ".join(row)) for row in words], np.uint64),
        signatures=np.stack([minhash.hashvalues for minhash in hashes]),
        counts=counts,
        shingles=shingles,
    )


def _shingles(texts: list[list[str]], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts and hashes of the distinct shingles, as in Sketches.

    A shingle's hash is a polynomial of its words' hashes modulo 2^64.
    """
    if len(_WORD_HASHES) > _MOST_WORDS:
        _WORD_HASHES.clear()
    rows = [[_WORD_HASHES[word] for word in words] for words in texts]
    rows = [row + [0] * (size - len(row)) for row in rows]
    lengths = np.array([len(row) for row in rows])
    hashes = np.array([word for row in rows for word in row], np.uint64)
    numbers = np.repeat(np.arange(len(rows)), lengths)
    places = np.arange(len(hashes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    firsts = np.flatnonzero(places <= np.repeat(lengths, lengths) - size)
    found = np.zeros(len(firsts), np.uint64)
    for offset in range(size):
        found = (found + hashes[firsts + offset]) * _MULTIPLIER
        found ^= found >> _SHIFT  # or the lower bits would never see the upper ones
    numbers = numbers[firsts]
    order = np.lexsort((found, numbers))
    found, numbers = found[order], numbers[order]
    is_new = np.ones(len(found), bool)
    is_new[1:] = (found[1:] != found[:-1]) | (numbers[1:] != numbers[:-1])
    return np.bincount(numbers[is_new], minlength=len(rows)), found[is_new]


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


class _WordHashes(dict[str, int]):
    """64-bit hashes of the words met so far: most words of a corpus are met again."""

    def __missing__(self, word: str) -> int:
        value = self[word] = _hash(word)
        return value


_WORD_HASHES = _WordHashes()
