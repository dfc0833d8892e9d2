"""Prints what Hugging Face's uncased BERT tokenizer makes of each character: models/bert_characters.tsv.

`.venv-huggingface/bin/python -m benchmarks.huggingface.characters --weights FOLDER > FILE`, with the packages
of requirements.txt; imports nothing else. FOLDER holds the tokenizer.json of an uncased BERT.
"""

import argparse
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import tokenizers

HEADER = """\
# What each character becomes before words are cut: Hugging Face tokenizers {version}, uncased BERT.
# Written by benchmarks/huggingface/characters.py; models/bert_normalizer.py says how to read it.
"""
# U+100000 to U+10FFFD are for private use; the tokenizer drops them, so that none is left in a text.
_FIRST_STAND_IN = 0x100000
_CHINESE = (  # for tf-text; for Hugging Face the last but two begins at U+2B920
    *(
        (0x4E00, 0x9FFF),
        (0x3400, 0x4DBF),
        (0x20000, 0x2A6DF),
        (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F),
    ),
    *((0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


def changed(tokenizer: tokenizers.Tokenizer) -> Iterator[tuple[int, str]]:
    """Code point and what it becomes, Hangul syllables left out; "" is dropped.

    A character at which words are cut gets blanks around it, but for ASCII and the Chinese ones, where every
    tokenizer cuts. Where tf-text would cut and Hugging Face does not, a stand-in for private use that is cut
    nowhere takes the character's place.
    """
    stand_in = _FIRST_STAND_IN
    for code in range(0x110000):
        if 0xD800 <= code <= 0xDFFF or 0xAC00 <= code <= 0xD7A3:
            continue
        character = chr(code)
        text = tokenizer.normalizer.normalize_str(character)
        bare = text.strip() or text
        if len(bare) == 1 and bare != " ":
            cut = len(tokenizer.pre_tokenizer.pre_tokenize_str(f"a{text}a")) > 1
            if cut and not bare.isascii() and not _is_chinese(bare):
                bare = f" {bare} "
            elif not cut and (_is_chinese(bare) or unicodedata.category(bare).startswith("P")):
                bare, stand_in = chr(stand_in), stand_in + 1
        if bare != character:
            yield code, bare


def _is_chinese(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _CHINESE)


def runs(characters: Iterator[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """First and last code point of a run and its rule: "+20" a shift, "61 62" a text, both in hexadecimal."""
    first, last, rules = 0, -2, set[str]()
    for code, text in characters:
        here = {" ".join(f"{ord(character):X}" for character in text)}
        if len(text) == 1:
            here.add(f"{ord(text) - code:+X}")
        if code == last + 1 and rules & here:
            last, rules = code, rules & here
            continue
        if rules:
            yield first, last, min(rules)
        first, last, rules = code, code, here
    if rules:
        yield first, last, min(rules)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    tokenizer = tokenizers.Tokenizer.from_file(str(parser.parse_args().weights / "tokenizer.json"))
    print(HEADER.format(version=tokenizers.__version__), end="")
    for first, last, rule in runs(changed(tokenizer)):
        print(f"{first:X}" if first == last else f"{first:X}-{last:X}", rule, sep="\t")


if __name__ == "__main__":
    main()
