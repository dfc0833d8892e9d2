"""What we read from one MEDLINE citation (NLM's PubMed DTD, element names as there)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")


class Heading(NamedTuple):
    """A MeSH heading: its descriptor's UI, and whether it or a qualifier is a major topic."""

    descriptor: str
    major: bool


def make_parser() -> etree.XMLParser:
    """A strict parser that expands no entity, fetches nothing and keeps libxml2's size limits."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def pmid(citation: etree._Element) -> str:
    """The PubMed identifier, "" where there is none."""
    return _text(citation.find("PMID"))


def headings(citation: etree._Element) -> list[Heading]:
    """The MeSH headings that carry a descriptor UI."""
    found = []
    for heading in citation.iterfind("MeshHeadingList/MeshHeading"):
        descriptor = heading.find("DescriptorName")
        if descriptor is not None and descriptor.get("UI"):
            major = any(name.get("MajorTopicYN") == "Y" for name in heading)
            found.append(Heading(descriptor.get("UI"), major))
    return found


def title(citation: etree._Element) -> str:
    """The article's title, "" where there is none."""
    return _text(citation.find("Article/ArticleTitle"))


def sections(citation: etree._Element) -> Iterator[tuple[str, str]]:
    """Label ("" where unlabelled) and text of each part of the abstract that has text."""
    for part in citation.iterfind("Article/Abstract/AbstractText"):
        text = _text(part)
        if text:
            yield part.get("Label", ""), text


def features(citation: etree._Element) -> dict[str, list[str] | list[int]]:
    """Raw features of an article beside title, abstract and MeSH, which the caller already has."""
    year = _year(citation)
    return {
        "year": [year],
        "year_band": [f"{year // 10 * 10}-{year // 10 * 10 + 9}" if year else "unknown"],
        "journal": [_text(citation.find("Article/Journal/Title"))],
        "language": [_text(citation.find("Article/Language"))],
        "publication_type": [
            _text(kind) for kind in citation.iterfind("Article/PublicationTypeList/PublicationType")
        ],
    }


def _year(citation: etree._Element) -> int:
    """The year of publication; of a MedlineDate such as "1998 Dec-1999 Jan" the first; else 0."""
    date = citation.find("Article/Journal/JournalIssue/PubDate")
    if date is None:
        return 0
    match = _YEAR.search(date.findtext("Year") or date.findtext("MedlineDate") or "")
    return int(match[0]) if match else 0


def _text(element: etree._Element | None) -> str:
    """All text inside an element, that of <i>, <sup> … too, with white space collapsed."""
    return "" if element is None else " ".join("".join(element.itertext()).split())
