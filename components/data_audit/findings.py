"""From duplicates among texts to what it means for examples, splits and labels."""

import dataclasses
import heapq
import itertools

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from components.data_audit.examples import AuditedExamples
from components.data_audit.report import Overlap, Pair
from components.near_duplicates.search import Duplicates

_MOST_PAIRS = 20
_SHORTLIST = 200  # pairs of texts whose examples are looked at one by one


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """Examples and the duplicates among them; all answers are the same whatever the order of the examples.

    Attributes:
        examples: n of them.
        duplicates: among their texts.
    """

    examples: AuditedExamples
    duplicates: Duplicates

    def overlaps(self, splits: list[str]) -> tuple[Overlap, ...]:
        """For each split with itself and each other."""
        columns = {split: column for column, split in enumerate(splits)}
        own = np.array([columns[split] for split in self.examples.splits])
        equal = self._counts(own, len(splits))
        near = self.duplicates.neighbours() @ equal
        nodes = self.duplicates.nodes
        itself = np.arange(len(splits)) == own[:, None]
        is_exact = equal[nodes].toarray() - itself > 0
        is_found = is_exact | (near[nodes].toarray() > 0)
        found = []
        for split, other in itertools.product(splits, splits):
            members, column = own == columns[split], columns[other]
            count = int(is_found[members, column].sum())
            found.append(
                Overlap(
                    split=split,
                    other=other,
                    examples=int(members.sum()),
                    exact=int(is_exact[members, column].sum()),
                    duplicated=count,
                    share=count / max(1, int(members.sum())),
                )
            )
        return tuple(found)

    def label_conflicts(self) -> int:
        """How many examples have a duplicate with another label."""
        names, own = np.unique(self.examples.labels, return_inverse=True)
        equal = self._counts(own, len(names))
        # Duplicates of an example's text by label, itself and the equal ones counted.
        around = sparse.csr_matrix(equal + self.duplicates.neighbours() @ equal)
        nodes = self.duplicates.nodes
        total = np.asarray(around.sum(axis=1)).ravel()[nodes]
        alike = np.asarray(around[nodes, own]).ravel()
        return int((total > alike).sum())

    def cluster_sizes(self) -> dict[int, int]:
        """Number of clusters by their number of examples, from 2 on."""
        _, clusters = csgraph.connected_components(self.duplicates.neighbours(), directed=False)
        sizes, numbers = np.unique(np.bincount(clusters[self.duplicates.nodes]), return_counts=True)
        pairs = zip(sizes.tolist(), numbers.tolist(), strict=True)
        return {size: number for size, number in pairs if size > 1}

    def worst_pairs(self, conflicts_only: bool = False) -> tuple[Pair, ...]:
        """At most 20 pairs of examples, in the order that the report promises.

        Args:
            conflicts_only: leave out those with equal labels.
        """
        found = [
            (*self._ordered(first, second), similarity)
            for one, other, similarity in self._shortlist(conflicts_only)
            for first, second in self._members(one, other)
        ]
        if conflicts_only:
            labels = self.examples.labels
            found = [pair for pair in found if labels[pair[0]] != labels[pair[1]]]
        worst = heapq.nsmallest(_MOST_PAIRS, found, key=self._rank)
        return tuple(self._pair(*pair) for pair in worst)

    def _counts(self, columns: np.ndarray, size: int) -> sparse.csr_matrix:
        """How many examples each text has in each column, int64 [texts, size]."""
        ones = np.ones(len(columns), np.int64)
        shape = (self.duplicates.size, size)
        return sparse.csr_matrix((ones, (self.duplicates.nodes, columns)), shape=shape)

    def _shortlist(self, conflicts_only: bool) -> list[tuple[int, int, float]]:
        """Pairs of texts and their similarity; a text with several examples is a pair with itself."""
        repeated = np.flatnonzero(np.bincount(self.duplicates.nodes) > 1)
        first = np.concatenate([repeated, self.duplicates.pairs[:, 0]])
        second = np.concatenate([repeated, self.duplicates.pairs[:, 1]])
        similarities = np.concatenate([np.ones(len(repeated)), self.duplicates.similarities])
        trained, tested = self._has("train"), self._has("test")
        leaks = (trained[first] & tested[second]) | (tested[first] & trained[second])
        crosses = self._differ(self.examples.splits, first, second)
        conflicts = self._differ(self.examples.labels, first, second)
        order = np.lexsort((second, first, -similarities, ~conflicts, ~crosses, ~leaks))
        if conflicts_only:
            order = order[conflicts[order]]
        return [(int(first[i]), int(second[i]), float(similarities[i])) for i in order[:_SHORTLIST]]

    def _has(self, split: str) -> np.ndarray:
        """Which texts have an example in a split, bool [texts]."""
        return np.bincount(self.duplicates.nodes, weights=self.examples.splits == split) > 0

    def _differ(self, values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """In which pairs of texts the examples have several values, bool [pairs]."""
        _, codes = np.unique(values, return_inverse=True)
        lowest = np.full(self.duplicates.size, len(values))
        highest = np.full(self.duplicates.size, -1)
        np.minimum.at(lowest, self.duplicates.nodes, codes)
        np.maximum.at(highest, self.duplicates.nodes, codes)
        low = np.minimum(lowest[first], lowest[second])
        return low < np.maximum(highest[first], highest[second])

    def _members(self, one: int, other: int) -> list[tuple[int, int]]:
        """Pairs of examples of two texts, or of one."""
        if one == other:
            return list(itertools.combinations(self._chosen(one), 2))
        return list(itertools.product(self._chosen(one), self._chosen(other)))

    def _chosen(self, node: int) -> list[int]:
        """Examples of a text, the first two of each split and label."""
        examples = self.examples
        members = np.flatnonzero(self.duplicates.nodes == node).tolist()
        members.sort(key=lambda i: (examples.splits[i], examples.labels[i], examples.keys[i]))
        groups = itertools.groupby(members, lambda i: (examples.splits[i], examples.labels[i]))
        return [i for _, group in groups for i in itertools.islice(group, 2)]

    def _ordered(self, first: int, second: int) -> tuple[int, int]:
        """The example in test or eval first."""
        keys, splits = self.examples.keys, self.examples.splits
        if (splits[second] == "train", keys[second]) < (splits[first] == "train", keys[first]):
            return second, first
        return first, second

    def _rank(self, pair: tuple[int, int, float]) -> tuple[bool, bool, bool, float, str, str]:
        first, second, similarity = pair
        splits, labels, keys = self.examples.splits, self.examples.labels, self.examples.keys
        return (
            (splits[first], splits[second]) != ("test", "train"),
            splits[first] == splits[second],
            labels[first] == labels[second],
            -similarity,
            keys[first],
            keys[second],
        )

    def _pair(self, first: int, second: int, similarity: float) -> Pair:
        examples, nodes = self.examples, self.duplicates.nodes
        return Pair(
            keys=(examples.keys[first], examples.keys[second]),
            splits=(examples.splits[first], examples.splits[second]),
            labels=(examples.labels[first], examples.labels[second]),
            excerpts=(examples.excerpts[first], examples.excerpts[second]),
            similarity=similarity,
            is_exact=bool(nodes[first] == nodes[second]),
        )
