"""Our tokenizer against a slow one written from BERT's definition."""

import json
import string
import unicodedata
from pathlib import Path

import hypothesis
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from hypothesis import strategies as st

from models.bert_normalizer import characters, normalizer_model, original, stand_in
from models.tokenizer import BertTokenizer, VocabularyError, read_vocabulary, split_words

# Hugging Face's ids of hostile texts; the file says of which version, and how they were made.
GOLDEN = json.loads(Path(__file__).with_name("huggingface_ids.json").read_text(encoding="utf-8"))
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *("heart", "fail", "##ure", "##s", "cafe", "α", "心", ".", "[", "sep", "]", "##e"),
]
TOKENIZER = BertTokenizer(VOCABULARY, max_length=64)
CLS, SEP, UNK = 2, 3, 1


def ids(*texts: str, tokenizer: BertTokenizer = TOKENIZER) -> list[list[int]]:
    return tokenizer(tf.constant(texts, tf.string)).to_list()


def pieces(text: str) -> list[str]:
    """Without [CLS] and [SEP]."""
    return [VOCABULARY[i] for i in ids(text)[0][1:-1]]


def reference(text: str, vocabulary: list[str] = VOCABULARY) -> list[int]:
    """BasicTokenizer and WordpieceTokenizer of arXiv 1810.04805, uncased, without a length limit."""
    return [CLS, *(i for word in basic_words(text) for i in wordpieces(word, vocabulary)), SEP]


def basic_words(text: str) -> list[str]:
    words: list[str] = []
    for chunk in "".join(map(spaced, text)).split(" "):
        # A character at a time, so that a Greek word does not end in another sigma.
        lower = unicodedata.normalize("NFD", "".join(character.lower() for character in chunk))
        stripped = "".join(c for c in lower if unicodedata.category(c) != "Mn")
        word = ""
        for character in stripped:
            if is_punctuation(character):
                words += [word, character]
                word = ""
            else:
                word += character
        words.append(word)
    return [word for word in words if word]


CHINESE = [
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2F800, 0x2FA1F),
]


def spaced(character: str) -> str:
    if character in " \t\n\r" or unicodedata.category(character) in ("Zs", "Zl", "Zp"):
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Co") or character == "\ufffd":
        return ""
    is_chinese = any(first <= ord(character) <= last for first, last in CHINESE)
    return f" {character} " if is_chinese else character


def is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def wordpieces(word: str, vocabulary: list[str]) -> list[int]:
    """Longest match first; a word that can't be spelled, or of more than 100 characters, is one [UNK]."""
    found, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        prefix = "##" if start else ""
        piece = next((p for e in ends if (p := prefix + word[start:e]) in vocabulary), None)
        if piece is None or len(word) > 100:
            return [UNK]
        found.append(vocabulary.index(piece))
        start += len(piece) - len(prefix)
    return found


# Characters of Unicode 3.2, whose properties all later tables share, but for U+166D and U+180E (no
# longer punctuation, no longer a blank).
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\u166d\u180e").filter(
    lambda character: unicodedata.ucd_3_2_0.category(character) != "Cn"
)
TEXTS = st.lists(
    st.sampled_from(
        [*(token.removeprefix("##") for token in VOCABULARY), " ", "Heart", "failure", "café"]
    )
    | st.text(CHARACTERS | st.sampled_from(string.printable + "éΣς\u0301"), max_size=5),
    max_size=12,
).map("".join)


@hypothesis.given(st.lists(TEXTS, min_size=1, max_size=4))
@hypothesis.example(["", "heart failures", "Cafés, café.", "x" * 100 + " " + "x" * 101])
def test_ids_equal_the_references(texts):
    full = BertTokenizer(VOCABULARY, max_length=10_000)
    assert ids(*texts, tokenizer=full) == [reference(text) for text in texts]


@hypothesis.given(st.lists(TEXTS, min_size=1, max_size=4))
def test_words_equal_the_references(texts):
    words = split_words(tf.constant(texts, tf.string)).to_list()
    assert [[word.decode() for word in row] for row in words] == [basic_words(t) for t in texts]


def test_stand_ins_become_the_original_again():
    text = "heart\u2e52s \U0002b820"  # tf-text would cut at both
    [[word, other]] = split_words(tf.constant([text])).to_list()
    assert original(word.decode()) == "heart\u2e52s" != word.decode()
    assert original(other.decode()) == "\U0002b820"
    assert stand_in(original(word.decode())) == word.decode()


@hypothesis.given(st.text())
def test_any_text_gives_ids_of_the_vocabulary(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        hypothesis.reject()
    [row] = ids(text)
    assert row[0] == CLS
    assert row[-1] == SEP
    assert all(0 < i < len(VOCABULARY) for i in row)
    assert SEP not in row[:-1]
    assert CLS not in row[1:]


@pytest.mark.parametrize("number", range(len(GOLDEN["texts"])))
def test_ids_equal_hugging_faces(number):
    tokenizer = BertTokenizer(GOLDEN["vocabulary"], max_length=10_000)
    assert ids(GOLDEN["texts"][number], tokenizer=tokenizer) == [GOLDEN["ids"][number]]


def test_every_character_becomes_what_the_table_says():
    codes = [code for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF]
    normalizer = tf_text.FastBertNormalizer(model_buffer=tf.constant(normalizer_model()))
    found = normalizer.normalize(tf.constant([chr(code) for code in codes])).numpy()
    expected = [characters().get(code, chr(code)).encode() for code in codes]
    assert [(a, b) for a, b in zip(found, expected, strict=True) if a != b] == []


def test_a_nul_character_is_dropped():
    assert pieces("heart\0s") == ["heart", "##s"]


def test_a_special_token_in_a_text_is_text():
    assert pieces("heart [SEP] fail") == ["heart", "[", "sep", "]", "fail"]


def test_empty_and_blank_texts_have_only_the_special_ids():
    assert ids("", " \n\t ") == [[CLS, SEP], [CLS, SEP]]


def test_no_texts_at_all():
    assert ids() == []


@pytest.mark.parametrize("max_length", [3, 4, 5])
def test_longer_texts_are_cut_and_still_end_with_sep(max_length):
    tokenizer = BertTokenizer(VOCABULARY, max_length)
    heart = VOCABULARY.index("heart")
    assert ids("heart " * 9, "heart", tokenizer=tokenizer) == [
        [CLS, *[heart] * (max_length - 2), SEP],
        [CLS, heart, SEP],
    ]


PIECES = {"first": VOCABULARY.index("heart"), "second": VOCABULARY.index("fail")}


@pytest.mark.parametrize("max_length", [5, 6, 11, 12])
def test_of_a_pair_the_longer_text_is_cut_first(max_length):
    """Against `truncate_seq_pair` of BERT's own code, and so Hugging Face's `longest_first`."""
    sizes = [(a, b) for a in range(13) for b in range(13)]
    tokenizer = BertTokenizer(VOCABULARY, max_length)
    found = tokenizer(
        tf.constant(["heart " * a for a, _ in sizes]), tf.constant(["fail " * b for _, b in sizes])
    ).to_list()
    for (a, b), row in zip(sizes, found, strict=True):
        first, second = [PIECES["first"]] * a, [PIECES["second"]] * b
        while len(first) + len(second) > max_length - 3:
            (first if len(first) > len(second) else second).pop()
        assert row == [CLS, *first, SEP, *second, SEP]


def test_pairs_are_the_same_inside_a_graph():
    spec = tf.TensorSpec([None], tf.string)
    traced = tf.function(TOKENIZER, input_signature=[spec, spec])
    columns = tf.constant(["Heart failure.", ""]), tf.constant(["", "s heart"])
    assert traced(*columns).to_list() == TOKENIZER(*columns).to_list()
    assert traced(*(column[:0] for column in columns)).to_list() == []


def test_a_word_of_more_than_100_characters_is_unknown():
    assert pieces("heart" + "s" * 95) == ["heart", *["##s"] * 95][:62]
    assert pieces("heart" + "s" * 96) == ["[UNK]"]


def test_ids_are_the_same_inside_a_graph():
    traced = tf.function(TOKENIZER, input_signature=[tf.TensorSpec([None], tf.string)])
    texts = tf.constant(["Heart failure.", ""])
    assert traced(texts).to_list() == TOKENIZER(texts).to_list()


def test_reads_a_vocabulary_file(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    assert read_vocabulary(file) == VOCABULARY


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_reads_windows_line_ends_and_a_last_line_without_one(tmp_path, end):
    file = tmp_path / "vocab.txt"
    file.write_bytes(("\r\n".join(VOCABULARY) + end).encode())
    assert read_vocabulary(file) == VOCABULARY


def test_a_line_separator_inside_a_token_is_no_line_end(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join([*VOCABULARY, "a\u2028b", "c"]), encoding="utf-8")
    assert read_vocabulary(file) == [*VOCABULARY, "a\u2028b", "c"]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([*VOCABULARY, "heart"], "'heart' stands more than once"),
        ([t for t in VOCABULARY if t != "[UNK]"], r"lacks \[UNK\]"),
        (["heart", "fail"], r"lacks \[PAD\], \[UNK\], \[CLS\], \[SEP\]"),
        ([], "lacks"),
        (VOCABULARY[1:2] + VOCABULARY[:1] + VOCABULARY[2:], r"begins with \[PAD\]"),
    ],
)
def test_refuses_a_vocabulary_file(tmp_path, tokens, message):
    file = tmp_path / "vocab.txt"
    file.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    with pytest.raises(VocabularyError, match=message) as error:
        read_vocabulary(file)
    assert str(file) in str(error.value)


def test_refuses_a_vocabulary_file_that_is_no_text(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_bytes(b"[PAD]\n[UNK]\n\xff\xfe\n")
    with pytest.raises(VocabularyError, match="UTF-8"):
        read_vocabulary(file)


@pytest.mark.parametrize(
    "tokens",
    [
        ["[UNK]", "[PAD]", "[CLS]", "[SEP]"],
        ["[PAD]", "[CLS]", "[SEP]"],
        ["[PAD]", "[UNK]", "[CLS]"],
        ["[PAD]", "[UNK]", "[SEP]"],
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "a"],
        [],
    ],
)
def test_the_tokenizer_refuses_a_vocabulary(tokens):
    with pytest.raises(VocabularyError):
        BertTokenizer(tokens, max_length=8)
