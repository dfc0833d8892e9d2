"""BERT's text normalization as a model of tf-text's FastBertNormalizer.

The model that tf-text builds folds by Unicode's NFKC_Casefold and takes control characters for blanks, which
BERT does not, so that ids differ at "ß", "…", U+2011 and thousands more. The op itself only looks up what
each character becomes: this module gives it BERT's own answers, at the same speed.
"""

import functools
import itertools
import unicodedata
from pathlib import Path

import flatbuffers
import numpy as np

_TABLE = Path(__file__).with_name("bert_characters.tsv")
_HANGUL = range(0xAC00, 0xD7A4)  # decomposed by rule, and so not in the table
_STAND_INS = range(0x100000, 0x10FFFE)

# The Chinese characters are words of their own; a class of RE2.
CHINESE = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)

# fast_bert_normalizer.h and darts_clone_trie_wrapper.h of tf-text
_IS_CHANGED, _LENGTH_BITS = 1 << 30, 6
_IS_VALUE, _HAS_VALUE, _OFFSET_SHIFT = 1 << 31, 1 << 8, 10
_BLOCK = 64  # all bytes of UTF-8 after the first are 0x80 to 0xBF


@functools.cache
def characters() -> dict[int, str]:
    """What characters become, by code point; one that is not there stays as it is, and "" is dropped.

    As Hugging Face's BertNormalizer: control characters are dropped, every blank is U+0020, what NFD leaves
    without its non-spacing marks is lowercased. Beyond that the words are made plain, since tf-text's
    FastWordpieceTokenizer cuts by other Unicode tables than BertPreTokenizer: punctuation beyond ASCII gets
    blanks around it, and a character at which only tf-text would cut is replaced by a stand-in for private
    use, which no normalized text can hold otherwise (see `stand_in`).

    One character at a time cannot put marks of different combining classes into NFD's order. That matters
    for the few marks that are not stripped, two of them in a row, and a vocabulary that has both.
    """
    table = {code: unicodedata.normalize("NFD", chr(code)) for code in _HANGUL}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        codes, _, rule = line.partition("\t")
        first, _, last = codes.partition("-")
        for code in range(int(first, 16), int(last or first, 16) + 1):
            if rule.startswith(("+", "-")):
                table[code] = chr(code + int(rule, 16))
            else:
                table[code] = "".join(chr(int(part, 16)) for part in rule.split())
    return table


def stand_in(token: str) -> str:
    """A token of the vocabulary as the normalized text spells it, stand-ins for what they stand for."""
    return token.translate(_stand_ins())


def original(word: str) -> str:
    """What `stand_in` was given."""
    return word.translate({ord(text): code for code, text in _stand_ins().items()})


@functools.cache
def _stand_ins() -> dict[int, str]:
    return {
        code: text
        for code, text in characters().items()
        if len(text) == 1 and ord(text) in _STAND_INS
    }


@functools.cache
def normalizer_model() -> np.ndarray:
    """The op's `fast_bert_normalizer_model` (uint8), a flatbuffer as in fast_bert_normalizer_model.fbs."""
    texts = {code: text.encode() for code, text in characters().items()}
    pool = b"".join(distinct := dict.fromkeys(texts.values()))
    ends = np.cumsum([len(text) for text in distinct])
    starts = dict(zip(distinct, [0, *ends.tolist()[:-1]], strict=True))
    values = {
        code: _IS_CHANGED | starts[text] << _LENGTH_BITS | len(text) for code, text in texts.items()
    }
    trie = _double_array({chr(code).encode(): value for code, value in values.items() if code})
    builder = flatbuffers.Builder(4 * len(trie) + len(pool) + 100)
    pool_offset = builder.CreateNumpyVector(np.frombuffer(pool, np.uint8))
    trie_offset = builder.CreateNumpyVector(trie)
    builder.StartObject(4)
    builder.PrependBoolSlot(0, True, False)  # lower_case_nfd_strip_accents
    builder.PrependUOffsetTRelativeSlot(1, trie_offset, 0)
    builder.PrependInt32Slot(2, values.get(0, 0), 0)  # the trie cannot hold U+0000
    builder.PrependUOffsetTRelativeSlot(3, pool_offset, 0)
    builder.Finish(builder.EndObject())
    return np.frombuffer(bytes(builder.Output()), np.uint8)


def _double_array(values: dict[bytes, int]) -> np.ndarray:
    """A darts-clone trie (uint32 units) of UTF-8 characters.

    A unit holds its label in the low byte and, from bit 10 on, the XOR distance to its children; a child is
    found at `node ^ distance ^ label`, the value of a whole key at `node ^ distance`. Here the children of
    the root have the first 256 places, the values follow, and then comes a block of 64 for each different
    set of children: prefixes that go on alike share theirs, as in a minimal automaton.
    """
    place = {value: 256 + number for number, value in enumerate(dict.fromkeys(values.values()))}
    units = [0] * (256 + -(-len(place) // _BLOCK) * _BLOCK)
    for value in place:
        units[place[value]] = _IS_VALUE | value
    blocks: dict[tuple[tuple[int, int, bool], ...], int] = {}

    def children(keys: list[bytes], depth: int) -> list[tuple[int, int, bool]]:
        """Of the prefix that these keys share: label, where it leads and whether to a value."""
        found = []
        for label, group in itertools.groupby(keys, lambda key: key[depth]):
            below = list(group)
            is_value = len(below[0]) == depth + 1
            goal = place[values[below[0]]] if is_value else block(children(below, depth + 1))
            found.append((label, goal, is_value))
        return found

    def block(nodes: list[tuple[int, int, bool]]) -> int:
        """Where a prefix's children are, XOR their first label."""
        if (key := tuple(nodes)) not in blocks:
            blocks[key] = len(units)
            units.extend([0] * _BLOCK)
            for label, goal, is_value in nodes:
                write(blocks[key] + (label & 0x3F), label, goal, is_value)
        return blocks[key] ^ 0x80

    def write(node: int, label: int, goal: int, is_value: bool) -> None:
        units[node] = (node ^ goal) << _OFFSET_SHIFT | is_value * _HAS_VALUE | label

    for label, goal, is_value in children(sorted(values), 0):
        write(label, label, goal, is_value)
    return np.array(units, np.uint32)
