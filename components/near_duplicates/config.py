"""What counts as a near duplicate."""

import pydantic

from models.config import Config


class NearDuplicateConfig(Config):
    """When two texts are near duplicates.

    Both are taken as sets of shingles: runs of `shingle_words` words, without case, punctuation and the width
    of characters (NFKC). They are near duplicates if the sets' Jaccard similarity, shared by all shingles of
    both, is at least `similarity` (Broder, On the resemblance and containment of documents, 1997).

    Attributes:
        shingle_words: words of a shingle; a shorter text is one shingle.
        similarity: the least of a near duplicate.
    """

    shingle_words: int = pydantic.Field(default=2, ge=1, le=10)
    similarity: float = pydantic.Field(default=0.5, ge=0.3, le=1)
