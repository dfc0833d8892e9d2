"""Which bytes a folder holds."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.manifest import content_hash, differences, from_text, measure, to_text

NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8)
MANIFESTS = st.dictionaries(NAMES, st.binary().map(lambda b: hashlib.sha256(b).hexdigest()))


def test_every_file_is_hashed_by_its_path(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables/w").write_bytes(b"weights")
    (tmp_path / "a ü.txt").write_bytes(b"")
    assert measure(str(tmp_path)) == {
        "a ü.txt": hashlib.sha256(b"").hexdigest(),
        "variables/w": hashlib.sha256(b"weights").hexdigest(),
    }
    assert measure(str(tmp_path / "nowhere")) == {}


@settings(max_examples=30)
@given(MANIFESTS)
def test_what_is_written_is_read(manifest):
    assert from_text(to_text(manifest)) == manifest


def test_what_is_no_manifest_is_refused_with_its_line():
    with pytest.raises(ValueError, match="line 2 is not a SHA-256"):
        from_text(f"{'0' * 64}  a\n{'0' * 63}  b\n")


@settings(max_examples=30)
@given(MANIFESTS, MANIFESTS)
def test_differences_are_none_only_between_equals(one, other):
    assert (differences(one, other) == []) == (one == other)
    in_order = (dict(sorted(manifest.items())) for manifest in (one, other))
    first, second = (content_hash(manifest) for manifest in in_order)
    assert (first == second) == (one == other)


def test_differences_name_the_file():
    expected = {"a": "1", "b": "2", "c": "3"}
    assert differences(expected, {"a": "1", "b": "4", "d": "5"}) == [
        *("b has other bytes", "c is missing", "d was added")
    ]
