"""What a model reads at once: sequences of one or two segments, cut from documents.

A segment is a range of the documents' flat ids, since the sentences of a document adjoin; no id is copied.
"""

import bisect
import dataclasses
import random

import numpy as np

from components.pretrain_example_gen.documents import Documents, indices, starts


@dataclasses.dataclass(frozen=True, eq=False)
class Sequences:
    """Segments A and B of each sequence.

    Attributes:
        firsts: int64 [n, 2]; where the segments begin among the documents' ids.
        lengths: int64 [n, 2]; their ids. B has none where there is one segment.
        documents: int64 [n, 2]; the first documents they are from.
        document_counts: int64 [n, 2]; how many adjoining ones they are from.
        is_random_next: int64 [n]; 1 if B is from another document, 0 if it follows A, -1 without B.
    """

    firsts: np.ndarray
    lengths: np.ndarray
    documents: np.ndarray
    document_counts: np.ndarray
    is_random_next: np.ndarray

    @classmethod
    def of_one_segment(
        cls, firsts: np.ndarray, lengths: np.ndarray, document_ends: np.ndarray
    ) -> "Sequences":
        """Sequences without segment B.

        Args:
            firsts: int64 [n].
            lengths: int64 [n].
            document_ends: int64 [documents]; where each one's ids end.
        """
        ends = firsts + lengths
        documents = np.searchsorted(document_ends, firsts, side="right")
        counts = np.searchsorted(document_ends, ends - 1, side="right") + 1 - documents
        nothing = np.zeros_like(lengths)
        return cls(
            np.stack([firsts, ends], axis=1),
            np.stack([lengths, nothing], axis=1),
            np.stack([documents, documents], axis=1),
            np.stack([counts, nothing], axis=1),
            np.full(len(firsts), -1),
        )

    def __len__(self) -> int:
        return len(self.firsts)


def sentence_pairs(
    documents: Documents, max_tokens: int, short_fraction: float, seed: str
) -> Sequences:
    """BERT's pairs (arXiv 1810.04805, appendix A.2), as Google's create_pretraining_data.py makes them.

    Document by document, in their order: a target length is drawn, `max_tokens` but for `short_fraction` of
    the documents, which get one from 2 to `max_tokens`. Sentences are taken until the target is reached or
    the document ends. Segment A is a random number of them, at least one and not all. B is the others in half
    of the cases, else (and where there is but one sentence) sentences of another document from a random one
    on until the target is reached; what A did not use is then taken again. Pairs above `max_tokens` lose ids
    of the longer segment (of B if equal), each from its front or its back at random.

    Args:
        documents: at least two.
        max_tokens: the most ids of both segments together, at least 2.
        short_fraction: see above.
        seed: the draws are a function of it and the documents.

    Raises:
        ValueError: there is only one document, so no other to take a random segment from.
    """
    if len(documents) < 2:
        raise ValueError(
            f"document {documents.keys[0].decode(errors='replace')} is alone: a random next segment needs"
            " another document; give more documents, or the objective mlm, which has no pairs"
        )
    draw = random.Random(seed)
    first_sentences = documents.sentence_starts.tolist()
    token_starts = documents.token_starts.tolist()
    pairs: list[tuple[int, int, int, int, int, int, int]] = []
    for document in range(len(documents)):
        target = max_tokens
        if draw.random() < short_fraction:
            target = draw.randint(2, max_tokens)
        _append_pairs(pairs, document, target, first_sentences, token_starts, draw)
    a_first, a_end, b_first, b_end, of_a, of_b, is_random = np.array(pairs, np.int64).T
    firsts, ends = _truncated(
        np.stack([a_first, b_first], axis=1),
        np.stack([a_end, b_end], axis=1),
        max_tokens,
        np.random.default_rng(draw.getrandbits(64)),
    )
    of_documents = np.stack([of_a, of_b], axis=1)
    return Sequences(firsts, ends - firsts, of_documents, np.ones_like(firsts), is_random)


def _append_pairs(
    pairs: list[tuple[int, int, int, int, int, int, int]],
    document: int,
    target: int,
    first_sentences: list[int],
    token_starts: list[int],
    draw: random.Random,
) -> None:
    """Appends a document's pairs: first id and end of A and of B, their documents, is-random."""
    sentence, last = first_sentences[document], first_sentences[document + 1]
    while sentence < last:
        end = _reach(token_starts, sentence, last, target)
        a_end = sentence + 1
        if end - sentence >= 2:
            a_end = sentence + draw.randint(1, end - sentence - 1)
        a_range = token_starts[sentence], token_starts[a_end]
        if end - sentence == 1 or draw.random() < 0.5:
            other = draw.randrange(len(first_sentences) - 2)
            other += other >= document
            first, other_last = first_sentences[other], first_sentences[other + 1]
            first = draw.randrange(first, other_last)
            stop = _reach(token_starts, first, other_last, target - (a_range[1] - a_range[0]))
            pairs.append((*a_range, token_starts[first], token_starts[stop], document, other, 1))
            sentence = a_end
        else:
            pairs.append((*a_range, a_range[1], token_starts[end], document, document, 0))
            sentence = end


def _reach(token_starts: list[int], sentence: int, last: int, target: int) -> int:
    """The end of the fewest sentences, at least one, that hold `target` ids; `last` if none do."""
    return bisect.bisect_left(token_starts, token_starts[sentence] + target, sentence + 1, last)


def _truncated(
    firsts: np.ndarray, ends: np.ndarray, max_tokens: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shortens pairs of ranges, int64 [n, 2], as if id after id were taken from the longer one.

    The longer loses the difference first; from then on B and A lose one in turn. How many of them at the
    front is what as many throws of a coin give.
    """
    lengths = ends - firsts
    excess = np.maximum(lengths.sum(axis=1) - max_tokens, 0)
    ahead = np.maximum(lengths - lengths[:, ::-1], 0)
    lost = np.minimum(ahead, excess[:, np.newaxis])
    rest = excess - lost.sum(axis=1)
    lost += np.stack([rest // 2, rest - rest // 2], axis=1)
    at_front = generator.binomial(lost, 0.5)
    return firsts + at_front, ends - (lost - at_front)


def full_sentences(documents: Documents, max_tokens: int) -> Sequences:
    """As many whole sentences as fit, of one or of several adjoining documents, without pairs.

    RoBERTa's FULL-SENTENCES (arXiv 1907.11692, section 4.2): sentences are taken in their order; where a
    document ends in a sequence, a separator follows, and then the next document. A sentence above
    `max_tokens` is cut into parts, which count as sentences.

    Args:
        documents: each with a separator as last id. At the end of a sequence it is left away.
        max_tokens: the most ids of a sequence, the separators inside it included.
    """
    begins, ends = documents.token_starts[:-1], documents.token_starts[1:].copy()
    ends[documents.sentence_starts[1:] - 1] -= 1
    parts = -(-(ends - begins) // max_tokens)
    begins = np.repeat(begins, parts) + max_tokens * indices(np.zeros_like(parts), parts)
    ends = np.minimum(begins + max_tokens, np.repeat(ends, parts))
    sorted_ends, first, chosen = ends.tolist(), 0, [0]
    while first < len(ends):
        first = bisect.bisect_right(sorted_ends, int(begins[first]) + max_tokens, first)
        chosen.append(first)
    firsts, last = np.array(chosen[:-1]), np.array(chosen[1:]) - 1
    return Sequences.of_one_segment(begins[firsts], ends[last] - begins[firsts], documents.ends)


def joined_documents(documents: Documents, max_length: int) -> tuple[Sequences, np.ndarray]:
    """GPT's rows: documents one after the other, cut wherever a row is full.

    Args:
        documents: each with its end token as last id.
        max_length: ids a row; only the last row has fewer.

    Returns:
        The parts of documents, in order, and how many of them each row has, int64 [rows].
    """
    total = len(documents.token_ids)
    ends = np.union1d(documents.ends, np.arange(max_length, total, max_length))
    lengths = np.diff(ends, prepend=0)
    firsts = starts(lengths)[:-1]
    sequences = Sequences.of_one_segment(firsts, lengths, documents.ends)
    return sequences, np.bincount(firsts // max_length)
