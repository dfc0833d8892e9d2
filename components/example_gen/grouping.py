"""Which records must share a split because their texts are near duplicates."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from components.near_duplicates.config import NearDuplicateConfig
from components.near_duplicates.search import find_duplicates
from components.near_duplicates.sketches import Sketches, sketch

Sketched = tuple[list[str], Sketches]  # groups and what is kept of their texts, one for each record


def sketch_batch(batch: Sequence[tuple[str, str]], config: NearDuplicateConfig) -> Sketched:
    """Sketches some records, given as group and text."""
    groups, texts = zip(*batch, strict=True)
    return list(groups), sketch(texts, config)


def representatives(parts: Sequence[Sketched], config: NearDuplicateConfig) -> dict[str, str]:
    """Joins the groups that share near duplicates, directly or through others (single linkage).

    Args:
        parts: all records, in any order.
        config: what near duplicates are.

    Returns:
        Of each group that is joined with others: the smallest name among them. The others are left out.
    """
    if not parts:
        return {}
    groups = [group for part, _ in parts for group in part]
    duplicates = find_duplicates(Sketches.joined([sketches for _, sketches in parts]), config)
    names, numbers = np.unique(np.array(groups, object), return_inverse=True)
    # A graph of the distinct texts and, after them, the groups: a record joins its group and its text.
    size = duplicates.size + len(names)
    first = np.concatenate([duplicates.nodes, duplicates.pairs[:, 0]])
    second = np.concatenate([numbers + duplicates.size, duplicates.pairs[:, 1]])
    graph = sparse.csr_matrix((np.ones(len(first), bool), (first, second)), shape=(size, size))
    _, components = csgraph.connected_components(graph, directed=False)
    _, smallest, component = np.unique(
        components[duplicates.size :], return_index=True, return_inverse=True
    )
    joined = np.bincount(component)[component] > 1
    chosen = names[smallest[component]]
    return dict(zip(names[joined].tolist(), chosen[joined].tolist(), strict=True))
