"""Learns tokens from how often each word occurs, by SentencePiece's BPE (arXiv 1508.07909) in both kinds.

Of the learners of WordPiece, tf-text's is pure Python and takes minutes where SentencePiece takes seconds,
and Hugging Face's does what is done here, merge pairs bottom up, for one more requirement: from the words of
26,000 abstracts both make 16,000 tokens that cut 4,000 others into as many pieces (docs/pretraining.md).
"""

import io
from collections import Counter
from collections.abc import Iterable
from typing import Any

import sentencepiece

from models.gpt.sentencepiece_tokenizer import END
from models.masking import MASK
from models.tokenizer import CLS, PAD, SEP, UNK

RESERVED = (PAD, UNK, CLS, SEP, MASK)
_MAX_CHARACTERS = 1000  # rarer ones are left to [UNK]: each would take one or two tokens
_WORD_START = "\u2581"
WordCount = tuple[str, int]


class LearnerError(ValueError):
    """No vocabulary can be learned from this."""


def learn_wordpiece(counts: Iterable[WordCount], size: int) -> bytes:
    """A `vocab.txt` of `size` tokens; of fewer if the words are spelled out before.

    First the reserved tokens, then the characters, as first and, unless they are always alone, as later ones
    of a word, so that each word of them can be spelled; then the pieces in the order of the merges.

    Args:
        counts: words, normalized and cut as by BertTokenizer, and how often each occurs.
        size: reserved tokens included.

    Raises:
        LearnerError: there are no words, or their characters alone need more tokens.
    """
    words = _with_common_characters(_sorted(counts))
    characters = sorted({character for word, _ in words for character in word})
    inside = sorted({character for word, _ in words if len(word) > 1 for character in word})
    tokens = dict.fromkeys([*RESERVED, *characters, *(f"##{character}" for character in inside)])
    if len(tokens) > size:
        raise LearnerError(
            f"vocabulary.size {size} is too small: the reserved tokens and the characters of the train split "
            f"alone need {len(tokens)}; give at least that, better some thousands more"
        )
    for piece in _merges(words, size):
        if len(tokens) == size:
            break
        is_first = piece.startswith(_WORD_START)
        tokens.setdefault(piece[1:] if is_first else f"##{piece}")
    return "".join(f"{token}\n" for token in tokens).encode()


def learn_bpe(counts: Iterable[WordCount], size: int) -> bytes:
    """A `sentencepiece.model` of `size` tokens: BPE that falls back to bytes.

    Ids 0, 1 and 2 are padding, unknown (never used) and `<|endoftext|>`; then come the 256 bytes.

    Args:
        counts: words, each with the blanks before it, and how often each occurs.
        size: reserved tokens and bytes included.

    Raises:
        LearnerError: there are no words, or too few or too many characters for this size.
    """
    words = _sorted(counts)
    try:
        return _train(
            words,
            vocab_size=size,
            byte_fallback=True,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            pad_id=0,
            unk_id=1,
            eos_id=2,
            eos_piece=END,
        )
    except (RuntimeError, OSError) as error:
        raise LearnerError(
            f"SentencePiece learns no BPE vocabulary of vocabulary.size {size} from the train split; give "
            f"another size, above 259 and the number of different characters: {error}"
        ) from error


def _sorted(counts: Iterable[WordCount]) -> list[WordCount]:
    """In an order that does not depend on the workers."""
    ordered = sorted(counts, key=lambda word_count: (-word_count[1], word_count[0]))
    if not ordered:
        raise LearnerError(
            "the train split has no words to learn from; look into the ExampleGen's quarantine"
        )
    return ordered


def _with_common_characters(words: list[WordCount]) -> list[WordCount]:
    frequency: Counter[str] = Counter()
    for word, count in words:
        for character in word:
            frequency[character] += count
    ordered = sorted(frequency, key=lambda character: (-frequency[character], character))
    common = frozenset(ordered[:_MAX_CHARACTERS])
    return [(word, count) for word, count in words if common.issuperset(word)]


def _merges(words: list[WordCount], size: int) -> list[str]:
    """Pieces in the order of the merges, then single characters; a word's first one begins with U+2581."""
    characters = {character for word, _ in words for character in word}
    model = _train(
        words,
        # SentencePiece counts its one reserved token, U+2581 and each character once.
        vocab_size=max(size, len(characters) + 2),
        hard_vocab_limit=False,
        unk_id=0,
        eos_id=-1,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [processor.id_to_piece(number) for number in range(1, processor.vocab_size())]
    return [piece for piece in pieces if piece != _WORD_START]


def _train(words: list[WordCount], **options: Any) -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(f"{word}\t{count}" for word, count in words),
        input_format="tsv",
        model_writer=written,
        model_type="bpe",
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=1 << 20,
        bos_id=-1,
        minloglevel=2,
        **options,
    )
    return written.getvalue()
