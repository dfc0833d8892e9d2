"""MEDLINE XML, sound and hostile, through the real executor."""

import gzip

import hypothesis
import pytest
from hypothesis import strategies as st

from components.example_gen.config import ModuloRule, SplitConfig
from components.example_gen.records import InputError
from components.medline_example_gen.config import LabelRule, MedlineConfig
from components.medline_example_gen.executor import MedlineExecutor, MedlineReader

_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle//EN" "https://dtd.example/pubmed.dtd">
<PubmedArticleSet>
"""
_TAIL = "</PubmedArticleSet>\n"
_ABSTRACT = "<AbstractText>A short account.</AbstractText>"


def article(pmid, abstract=_ABSTRACT, title="A title.", mesh="", date="<Year>1979</Year>"):
    return f"""<PubmedArticle>
  <MedlineCitation Status="MEDLINE">
    <PMID Version="1">{pmid}</PMID>
    <Article>
      <Journal><JournalIssue><PubDate>{date}</PubDate></JournalIssue><Title>J</Title></Journal>
      <ArticleTitle>{title}</ArticleTitle>
      {f"<Abstract>{abstract}</Abstract>" if abstract is not None else ""}
      <Language>eng</Language>
      <PublicationTypeList>
        <PublicationType UI="D002363">Case Reports</PublicationType>
        <PublicationType UI="D016428">Journal Article</PublicationType>
      </PublicationTypeList>
    </Article>
    <MeshHeadingList>{mesh}</MeshHeadingList>
  </MedlineCitation>
</PubmedArticle>
"""


def heading(descriptor, major="N", qualifier=None):
    inside = f'<DescriptorName UI="{descriptor}" MajorTopicYN="{major}">d</DescriptorName>'
    if qualifier:
        inside += f'<QualifierName UI="Q1" MajorTopicYN="{qualifier}">q</QualifierName>'
    return f"<MeshHeading>{inside}</MeshHeading>"


def write(folder, *articles, name="a.xml"):
    (folder / name).write_text(_HEAD + "".join(articles) + _TAIL, encoding="utf-8")


@pytest.fixture
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "areas.tsv"
    path.write_text("descriptor_ui\tareas\nD1\theart\nD2\tlung\nD3\theart|lung\nD4\tskin\n")
    return str(path)


def test_a_citation_becomes_an_example(ingest, tmp_path):
    abstract = (
        '<AbstractText Label="METHODS">We <i>saw</i> H<sub>2</sub>O.</AbstractText>'
        '<AbstractText Label="RESULTS">All\n  well &amp; good.</AbstractText>'
    )
    mesh = heading("D7", "N", "Y") + heading("D8")
    write(tmp_path, article(15, abstract, title="On <sup>3</sup>H &#946;.", mesh=mesh))
    [example] = ingest(MedlineExecutor, MedlineConfig(), tmp_path).all
    told = "METHODS: We saw H2O. RESULTS: All well & good."
    assert example == {
        "key": [b"15"],
        "text": [f"On 3H β. {told}".encode()],
        "length_band": [b"0-49"],
        "title": ["On 3H β.".encode()],
        "abstract": [told.encode()],
        "section_labels": [b"METHODS", b"RESULTS"],
        "year": [1979],
        "year_band": [b"1970-1979"],
        "journal": [b"J"],
        "language": [b"eng"],
        "publication_type": [b"Case Reports", b"Journal Article"],
        "mesh": [b"D7", b"D8"],
        "mesh_major": [b"D7"],
    }


def test_year_of_any_kind_of_date(ingest, tmp_path):
    dates = {
        "<Year>2020</Year>": (2020, b"2020-2029"),
        "<MedlineDate>1998 Dec-1999 Jan</MedlineDate>": (1998, b"1990-1999"),
        "<MedlineDate>Winter</MedlineDate>": (0, b"unknown"),
        "": (0, b"unknown"),
    }
    write(tmp_path, *(article(n, title=f"T{n}", date=date) for n, date in enumerate(dates)))
    examples = ingest(MedlineExecutor, MedlineConfig(), tmp_path).all
    found = {int(e["key"][0]): (e["year"][0], e["year_band"][0]) for e in examples}
    assert found == dict(enumerate(dates.values()))


def test_label_is_the_one_area_of_the_major_headings(ingest, tmp_path, table):
    write(
        tmp_path,
        article(1, mesh=heading("D1", "Y") + heading("D2")),
        article(2, mesh=heading("D2", "N", "Y") + heading("D9", "Y")),
        article(3, mesh=heading("D1", "Y") + heading("D2", "Y")),
        article(4, mesh=heading("D3", "Y")),
        article(5, mesh=heading("D1")),
        article(6, mesh=heading("D4", "Y")),
        article(7, mesh=heading("D1", "Y"), abstract=None),
        article(8, mesh=heading("D1", "Y"), abstract="<AbstractText> </AbstractText>"),
    )
    rule = LabelRule(mesh_areas=table, classes=("heart", "lung"))
    result = ingest(MedlineExecutor, MedlineConfig(label=rule), tmp_path)
    labels = {example["key"][0]: example["label"][0] for example in result.all}
    assert labels == {b"1": b"heart", b"2": b"lung"}
    assert result.counts.filtered_by_reason == {
        "several_labels": 2,
        "no_label": 1,
        "class_not_asked": 1,
        "no_abstract": 2,
    }


def test_all_areas_of_a_citation_may_be_its_labels(ingest, tmp_path, table):
    write(
        tmp_path,
        article(1, mesh=heading("D1", "Y") + heading("D2", "Y")),
        article(2, mesh=heading("D1", "Y") + heading("D4", "Y")),
        article(3, mesh=heading("D4", "Y")),
        article(4),
    )
    rule = LabelRule(mesh_areas=table, classes=("heart", "lung"), label_type="classes")
    config = MedlineConfig(label=rule)
    assert config.task == "multi_label"
    result = ingest(MedlineExecutor, config, tmp_path)
    labels = {example["key"][0]: example["label"] for example in result.all}
    assert labels == {b"1": [b"heart", b"lung"], b"2": [b"heart"]}
    assert result.counts.filtered_by_reason == {"class_not_asked": 1, "no_label": 1}


def test_text_fields_and_missing_abstracts(ingest, tmp_path):
    write(tmp_path, article(1), article(2, abstract=None), article(3, abstract=None, title=""))
    titles = MedlineConfig(text_fields=("title",), require_abstract=False)
    result = ingest(MedlineExecutor, titles, tmp_path)
    assert sorted(result.column("text")) == ["A title.", "A title."]
    assert result.reasons == ["empty_text"]
    assert "PMID 3" in result.rejected[0]["position"]


def test_pmid_rule_decides_the_test_split(ingest, tmp_path):
    write(tmp_path, *(article(pmid) for pmid in range(1, 41)))
    splits = SplitConfig(eval=0.3, test_rule=ModuloRule(modulus=5))
    result = ingest(MedlineExecutor, MedlineConfig(splits=splits), tmp_path)
    keys = {name: {int(e["key"][0]) for e in got} for name, got in result.examples.items()}
    assert keys["test"] == set(range(5, 41, 5))
    assert all(keys.values())
    assert result.counts.kept_by_split == {name: len(found) for name, found in keys.items()}


BAD = [
    ("malformed_xml", article(66, title="An undefined &nbsp; entity")),
    ("malformed_xml", article(66, title="An open <i>tag")),
    ("malformed_xml", article(66, title="An & alone")),
    ("malformed_xml", article(66).replace("</PubmedArticle>", "")),
    ("malformed_xml", article(66, title="control \x01 character")),
    ("malformed_xml", article(66, title="<b>" * 300 + "</b>" * 300)),
    ("no_pmid", article("")),
    ("no_pmid", "<PubmedArticle><Other/></PubmedArticle>"),
    ("stray_content", article(66).replace("<PubmedArticle>", "<PubmedArtcle>")),
    ("stray_content", "some text"),
    ("bad_key", article("sixty-six")),
]


def test_one_bad_record_is_quarantined_and_the_rest_kept(ingest, tmp_path):
    for number, (_, bad) in enumerate(BAD):
        first, *rest = (10 * number + n for n in range(1, 4))
        write(tmp_path, article(first), bad, *map(article, rest), name=f"{number:02}.xml")
    config = MedlineConfig(splits=SplitConfig(test_rule=ModuloRule(modulus=5)))
    result = ingest(MedlineExecutor, config, tmp_path)
    assert sorted(map(int, result.column("key"))) == [
        10 * number + n for number in range(len(BAD)) for n in range(1, 4)
    ]
    found = [(row["source"], row["reason"]) for row in result.rejected]
    assert found == [(f"{number:02}.xml", reason) for number, (reason, _) in enumerate(BAD)]
    line = (_HEAD + article(1)).count("\n") + 1
    assert all(row["position"].startswith(f"record 2, line {line}") for row in result.rejected)


def test_a_bad_record_is_named_by_its_pmid_and_line(ingest, tmp_path):
    write(tmp_path, article(1), article(66, title="An undefined &nbsp; entity"))
    [row] = ingest(MedlineExecutor, MedlineConfig(), tmp_path).rejected
    line = (_HEAD + article(1)).count("\n") + 1
    assert row["position"] == f"record 2, line {line}, PMID 66"
    assert "nbsp" in row["detail"]
    assert row["excerpt"].startswith("<PubmedArticle> <MedlineCitation")


def test_invalid_utf8_costs_one_record(ingest, tmp_path):
    text = _HEAD + article(1) + article(2, title="caf#") + article(3) + _TAIL
    (tmp_path / "a.xml").write_bytes(text.encode().replace(b"caf#", b"caf\xe9"))
    result = ingest(MedlineExecutor, MedlineConfig(), tmp_path)
    assert result.reasons == ["invalid_utf8"]
    assert sorted(result.column("key")) == ["1", "3"]


def test_truncated_gzip_keeps_what_came_before(ingest, tmp_path):
    articles = [article(n, title=f"Title {n * 7919 % 10007}.") for n in range(1, 3000)]
    whole = gzip.compress((_HEAD + "".join(articles) + _TAIL).encode())
    (tmp_path / "a.xml.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.xml.gz").write_bytes(gzip.compress((_HEAD + article(5000) + _TAIL).encode()))
    result = ingest(MedlineExecutor, MedlineConfig(), tmp_path)
    [row] = result.rejected
    assert (row["source"], row["reason"]) == ("a.xml.gz", "truncated_gzip")
    kept = sorted(map(int, result.column("key")))
    assert kept == [*range(1, len(kept)), 5000]
    assert len(kept) > 1000
    assert row["position"] == f"after record {len(kept) - 1}"


def test_damaged_gzip_is_one_row(ingest, tmp_path):
    text = _HEAD + "".join(article(n, title=f"T{n * 7919}") for n in range(50)) + _TAIL
    sound = gzip.compress(text.encode())
    (tmp_path / "a.xml.gz").write_bytes(b"no gzip at all")
    (tmp_path / "b.xml.gz").write_bytes(sound[:200] + b"\0" * 50 + sound[250:])
    (tmp_path / "c.xml.gz").write_bytes(sound + b"something behind")
    result = ingest(MedlineExecutor, MedlineConfig(), tmp_path)
    damage = [row for row in result.rejected if row["reason"] == "corrupt_gzip"]
    assert [row["source"] for row in damage] == ["a.xml.gz", "b.xml.gz", "c.xml.gz"]
    assert set(map(int, result.column("key"))) == set(range(50))


def test_a_file_that_stops_short_is_told(ingest, tmp_path):
    whole = (_HEAD + article(1) + article(2) + _TAIL).encode()
    for name, cut_at in {"a": b"<ArticleTitle>", "b": b"</PubmedArticleSet>", "c": b"med"}.items():
        (tmp_path / f"{name}.xml").write_bytes(whole[: whole.rindex(cut_at) + 2])
    result = ingest(MedlineExecutor, MedlineConfig(), tmp_path)
    assert [(row["source"], row["reason"]) for row in result.rejected] == [
        ("a.xml", "truncated_file"),
        ("b.xml", "truncated_file"),
        ("c.xml", "truncated_file"),
    ]
    assert sorted(result.column("key")) == ["1", "1", "1", "2", "2"]


def test_no_entity_is_expanded_and_no_file_read(ingest, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    dtd = (
        f'<!DOCTYPE PubmedArticleSet [<!ENTITY x SYSTEM "file://{secret}">'
        '<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
    )
    inner = f'<!DOCTYPE PubmedArticle [<!ENTITY y SYSTEM "file://{secret}">]>'
    text = (
        f"<?xml version='1.0'?>{dtd}<PubmedArticleSet>"
        + article(1, title="&x;")
        + article(2, title="&b;")
        + article(3).replace("<MedlineCitation", inner + "<MedlineCitation")
        + article(4)
        + _TAIL
    )
    (tmp_path / "a.xml").write_text(text)
    result = ingest(MedlineExecutor, MedlineConfig(), tmp_path)
    assert result.column("key") == ["4"]
    assert result.reasons == ["malformed_xml"] * 3
    assert "SECRET" not in str(result.all) + str(result.rejected)


def test_deletions_and_books_are_filtered(ingest, tmp_path):
    deletions = '<DeleteCitation><PMID Version="1">7</PMID><PMID>8</PMID></DeleteCitation>'
    book = "<PubmedBookArticle><BookDocument/></PubmedBookArticle>"
    write(tmp_path, article(1), book, "<!-- a comment -->", deletions)
    counts = ingest(MedlineExecutor, MedlineConfig(), tmp_path).counts
    assert counts.filtered_by_reason == {"book_article": 1, "deleted_citation": 2}
    assert (counts.read, counts.kept) == (4, 1)


def test_too_long_a_text_is_quarantined(ingest, tmp_path):
    write(tmp_path, article(1), article(2, title="é" * 100))
    result = ingest(MedlineExecutor, MedlineConfig(max_text_bytes=100), tmp_path)
    assert result.reasons == ["too_large"]
    assert "217 bytes" in result.rejected[0]["detail"]


def test_an_empty_set_and_a_file_of_another_kind(ingest, tmp_path):
    write(tmp_path, name="empty.xml")
    (tmp_path / "other.xml").write_text("<html>not found</html>")
    result = ingest(MedlineExecutor, MedlineConfig(), tmp_path)
    assert [(row["source"], row["reason"]) for row in result.rejected] == [
        ("other.xml", "truncated_file")
    ]


def test_no_file_at_all_is_the_users_error(ingest, tmp_path):
    with pytest.raises(InputError, match="no file matches"):
        ingest(MedlineExecutor, MedlineConfig(), tmp_path)


def test_a_class_that_is_no_area_is_the_users_error(table):
    rule = LabelRule(mesh_areas=table, classes=("heart", "lungs"))
    with pytest.raises(InputError, match="no area 'lungs'; there is lung"):
        MedlineReader(MedlineConfig(label=rule))


def test_a_malformed_table_is_the_users_error(tmp_path):
    path = tmp_path / "areas.tsv"
    for text in ("D1\theart\n", "descriptor_ui\tareas\nD1\n"):
        path.write_text(text)
        rule = LabelRule(mesh_areas=str(path), classes=("heart", "lung"))
        with pytest.raises(InputError, match="expected"):
            MedlineReader(MedlineConfig(label=rule))


_PIECES = [
    "<PubmedArticle>",
    "</PubmedArticle>",
    "<PMID>3</PMID>",
    "&x;",
    "<a>",
    "</a>",
    "é\n",
    _TAIL,
]


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(st.lists(st.sampled_from(_PIECES), max_size=12))
def test_no_rubbish_breaks_the_reader_or_costs_a_sound_record(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("rubbish") / "a.xml"
    path.write_text(_HEAD + article(1) + "".join(pieces) + article(2) + _TAIL)
    outcomes = list(MedlineReader(MedlineConfig()).read(str(path)))
    keys = [outcome.key for outcome in outcomes if hasattr(outcome, "key")]
    assert keys == ["1", "2"]
