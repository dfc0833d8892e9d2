"""Reads MEDLINE/PubMed XML files (`.xml`, `.xml.gz`) into examples."""

import re
from collections.abc import Iterator

from lxml import etree

from components.example_gen.executor import ExampleGenExecutor
from components.example_gen.files import open_bytes
from components.example_gen.records import Features, Filtered, Outcome, Reader, Record, Rejected
from components.medline_example_gen import citation as citations
from components.medline_example_gen.config import MedlineConfig
from components.medline_example_gen.fragments import Fragment, cut
from components.medline_example_gen.labels import AreaLabeler

_MAX_RECORD_BYTES = 16 << 20  # libxml2's own limit is near; the largest real ones are below 1 MB
_PMID = re.compile(rb"<PMID[^>]*>\s*(\d{1,12})\s*</PMID>")
_DAMAGE = {
    "stray": ("stray_content", "text between two records; a record whose tags are misspelt?"),
    "unclosed": ("malformed_xml", "the record has no end tag before the next one begins"),
    "oversized": ("too_large", f"the record is over {_MAX_RECORD_BYTES} bytes"),
    "truncated": ("truncated_file", "the file ends without </PubmedArticleSet>"),
}


class MedlineReader(Reader):
    """Citations of PubMed XML files."""

    def __init__(self, config: MedlineConfig):
        """Reads the label table, once for all workers.

        Raises:
            InputError: the label rule and its table do not fit.
        """
        self._config = config
        self._labeler = AreaLabeler(config.label) if config.label else None

    def read(self, path: str) -> Iterator[Outcome]:
        """Yields one outcome for each citation, deleted PMID, book or piece of rubbish."""
        parser = citations.make_parser()
        number = 0
        with open_bytes(path) as stream:
            for fragment in cut(stream, _MAX_RECORD_BYTES):
                if fragment.kind == "DeleteCitation":
                    for _ in _PMID.finditer(fragment.content):
                        yield Filtered("deleted_citation")
                    continue
                number += 1
                yield self._outcome(fragment, number, parser)

    def _outcome(self, fragment: Fragment, number: int, parser: etree.XMLParser) -> Outcome:
        position = f"record {number}, line {fragment.line}"
        if fragment.kind == "PubmedBookArticle":
            return Filtered("book_article")
        if fragment.kind in _DAMAGE:
            return _rejected(fragment, position, *_DAMAGE[fragment.kind])
        try:
            citation = etree.fromstring(fragment.content, parser).find("MedlineCitation")
        except etree.XMLSyntaxError as error:
            return _rejected(fragment, position, _syntax_reason(fragment.content), str(error))
        if citation is None or not citations.pmid(citation):
            return _rejected(fragment, position, "no_pmid", "no MedlineCitation with a PMID")
        return self._record(citation, position)

    def _record(self, citation: etree._Element, position: str) -> Record | Filtered:
        """The cheap tests first: most citations of a baseline file carry no label."""
        headings = citations.headings(citation)
        major = [heading.descriptor for heading in headings if heading.major]
        sections = list(citations.sections(citation))
        if self._config.require_abstract and not sections:
            return Filtered("no_abstract")
        label = self._labeler.label(major) if self._labeler else None
        if isinstance(label, Filtered):
            return label
        fields = {
            "title": citations.title(citation),
            "abstract": " ".join(f"{name}: {text}" if name else text for name, text in sections),
        }
        key = citations.pmid(citation)
        features: Features = {
            **{name: [text] for name, text in fields.items()},
            "section_labels": [name for name, _ in sections if name],
            "mesh": [heading.descriptor for heading in headings],
            "mesh_major": major,
            **citations.features(citation),
        }
        text = " ".join(filter(None, (fields[name] for name in self._config.text_fields)))
        return Record(f"{position}, PMID {key}", key, text, label, features)


def _rejected(fragment: Fragment, position: str, reason: str, detail: str) -> Rejected:
    pmid = _PMID.search(fragment.content)
    if pmid and fragment.kind != "stray":
        position = f"{position}, PMID {pmid[1].decode()}"
    excerpt = fragment.content[:400].decode(errors="backslashreplace")
    return Rejected(position, reason, detail, " ".join(excerpt.split()))


def _syntax_reason(content: bytes) -> str:
    try:
        content.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    return "malformed_xml"


class MedlineExecutor(ExampleGenExecutor):
    """Runs MedlineReader."""

    def make_reader(self, reader_config: str) -> tuple[MedlineReader, MedlineConfig]:
        """The reader and its settings, from a MedlineConfig as JSON."""
        config = MedlineConfig.model_validate_json(reader_config)
        return MedlineReader(config), config
