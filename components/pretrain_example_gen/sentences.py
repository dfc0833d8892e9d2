"""A sentence splitter for scientific abstracts.

Of the libraries at hand none is both right and fast enough. Of the hand-split passages of
`tests/components/pretrain_example_gen/sentence_gold.py` sentencex 1.0.32, pySBD 0.3.4, syntok 1.4.4 and
BlingFire 0.1.8 split about four in five as a reader would (they break "Vibrio spp. were" and "approx. 5 g",
and join "37 degrees C. Cells …"); all but the first are unmaintained since 2022, and nupunkt does not run
on Python 3.10. Hence these rules, written with those passages in view: one compiled pattern finds where a
sentence may end, and what stands before and after decides.
"""

import re

_CANDIDATE = re.compile(
    r"""[.?!…](?<![.?!…]{2})[.?!…]*                # the end mark, from its beginning
    (?:["'”’»)\]}] | \[\d[\d,\ –-]*\] | (?<=[a-z]\.)\d{1,3}(?:[,–-]\d{1,3})*)*  # closers, citations
    (?:\s+ | (?<=[a-z)%]{2}\.)(?=[A-Z][A-Za-z]+[\s,:]))  # white space, or where it was forgotten
    (?=(?:["'“‘«(\[{<]*|©\s?)(\w\S*))             # 1: the next word, without what opens it""",
    re.VERBOSE,
)
_BLANK_LINE = re.compile(r"\n\s*\n")
_OPENERS = "\"'“‘«([{<"
_LONGEST_WORD = 40
_LONGEST_BRACKET = 300  # characters; a bracket that stays open for longer is a typing error


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the last word of a sentence.
_CONTINUE = _words(
    """
    al approx assoc ca cf dept dr ed eds eq eqs e.g ex eg fig figs i.e ie incl mr mrs ms mt
    prof ref refs resp sect st subsp suppl ser univ v var viz vs
    """
)
# Continue before a number, and may end a sentence before a capital ("No. 5", "Jan. 5", "6 p.m. The").
_CONTINUE_BEFORE_NUMBER = _words(
    """
    a.m apr art aug av ch chap co corp dec etc feb hr hrs inc jan jul jun ltd mar max min n no nos
    nov oct p p.m para pp pt sec sep sept sp spp tab tel ver vol wt yr yrs
    """
)
# "vitamin D." is no initial.
_NAMED_BY_LETTER = _words(
    """
    antigen appendix arm class coenzyme cohort condition criterion degree degrees factor grade group
    groups haplotype hepatitis immunoglobulin influenza panel part phase photosystem protein sample
    series solution stage study table type types vitamin vitamins
    """
)
# After an initial or "U.S." only these begin a new sentence.
_STARTERS = _words(
    """
    A After All Although An And Among As At Both But By Conclusion Conclusions During Each Finally
    For From Further Furthermore Hence However If In It Its Methods Moreover No Of On One Only Our
    Patients Results Seven Since Six Some Such Ten That The Their Then There Therefore These They
    This Those Three Thus To Two Under Using We When Whereas While With
    """
)
_DOTTED = re.compile(r"(?:\w\.)+\w")
_LABEL = re.compile(r"\d{1,2}|[a-z]")
# "3 x 10(-7) M." and "1.2 V." are amounts; "in 1977 M. Smith" is not.
_UNITS = frozenset("CKMTVW")
_AMOUNT = re.compile(r"[<>=~(]*(?!(?:18|19|20)\d\d$)\d[\dxX×.,()^-]*(?<!,)")
# Words that begin a sentence in lower case: p53, mRNA, c-Myc, pH, α-actin, alpha-actin.
_LOWER_NAME = re.compile(
    r"[α-ωµ]|[a-z]{1,3}-?[A-Z0-9]|[a-z]{2,4}[0-9]|(?:alpha|beta|gamma|delta|kappa|cis|trans|n|p|o|m)-"
)


def split_sentences(text: str) -> list[str]:
    """Splits a text into its sentences.

    Only white space is lost: at the ends of sentences, and line breaks become spaces. A blank line ends a
    sentence whatever stands before it.

    Args:
        text: of any length, on one line or several.

    Returns:
        The sentences in order, none of them empty.
    """
    if "\n" not in text:
        return _split_paragraph(text.strip())
    paragraphs = (" ".join(part.split()) for part in _BLANK_LINE.split(text))
    return [sentence for paragraph in paragraphs for sentence in _split_paragraph(paragraph)]


def _split_paragraph(text: str) -> list[str]:
    sentences = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        if _ends(text, start, match):
            sentences.append(text[start : match.end()].rstrip())
            start = match.end()
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the sentence that began at `start` ends at this candidate."""
    mark, following = match.start(), match[1]
    first = following[0]
    if first.islower() and not _LOWER_NAME.match(following):
        return False
    if text[mark] == "." and not _full_stop(text, start, mark, following):
        return False
    return not _inside_bracket(text, start, match.end())


def _full_stop(text: str, start: int, mark: int, following: str) -> bool:
    """Whether the dot is more than an abbreviation's."""
    word_start = text.rfind(" ", start, mark) + 1 or start
    word = text[word_start:mark].lstrip(_OPENERS)
    # "Fig." continues and so does "FIG. 2", but "MS.", "EDs." and "V." are whole words.
    is_written_so = word.isupper() or word[1:] != word[1:].lower()
    lower = word if is_written_so and not following[0].isdigit() else word.lower()
    if lower in _CONTINUE:
        return False
    if len(word) <= 2 and word_start == start and _LABEL.fullmatch(word):
        return False  # "1. Rats were fed."
    if following[0].isdigit():
        return lower not in _CONTINUE_BEFORE_NUMBER
    if len(word) == 1 and word.isalpha():
        before = text[max(start, word_start - _LONGEST_WORD) : word_start].split()
        return _ends_after_letter(word, before[-1] if before else "", following)
    if _DOTTED.fullmatch(word) and word[0].isupper():
        return following.rstrip(",:") in _STARTERS
    return True


def _ends_after_letter(letter: str, before: str, following: str) -> bool:
    """Tells "vitamin D.", "5 g." and "5 V." from initials and labels by the word before."""
    previous = before.strip("(,;")
    if letter.islower():
        return previous[-1:].isdigit()
    if letter in _UNITS and _AMOUNT.fullmatch(before):
        return True
    return previous.lower() in _NAMED_BY_LETTER or following.rstrip(",:") in _STARTERS


def _inside_bracket(text: str, start: int, end: int) -> bool:
    """Whether a round bracket opened in this sentence closes after `end`."""
    start = max(start, end - _LONGEST_BRACKET)
    if text.count("(", start, end) <= text.count(")", start, end):
        return False
    closing = text.find(")", end, end + _LONGEST_BRACKET)
    return closing >= 0 and text.find("(", end, closing) < 0
