"""Resolver nodes: the queries that TFX compiles of LatestArtifactStrategy and LatestBlessedModelStrategy."""

import re
from collections.abc import Mapping
from typing import Any

from kubeflow.local.executor_input import Artifacts
from kubeflow.local.store import Store

_TERM = re.compile(r'(?P<field>[\w.]+)=(?:"(?P<text>[^"]*)"|(?P<bare>\S+))')
_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}")


class QueryError(Exception):
    """The query is beyond what TFX compiles."""


def resolve(resolver: Mapping[str, Any], inputs: Mapping[str, Any], store: Store) -> Artifacts:
    """The newest artifact for each output of a resolver, nothing where there is none.

    Args:
        resolver: ResolverSpec, as JSON.
        inputs: of the node's ExecutorInput.
        store: asked for the artifacts of this pipeline.

    Raises:
        QueryError: a filter has an unknown term.
    """
    outputs: Artifacts = {}
    for key, query in resolver["outputArtifactQueries"].items():
        terms = dict(_term(term) for term in query["filter"].split(" AND "))
        if _insert(terms, inputs):
            found = store.artifacts(terms.pop("schema_title"))
            outputs[key] = [one for one in found if _matches(one, terms)][:1]
        else:
            outputs[key] = []
    return outputs


def _term(text: str) -> tuple[str, str]:
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise QueryError(f"{text!r} is no term of a query that TFX compiles")
    return match["field"], match["bare"] or match["text"]


def _insert(terms: dict[str, str], inputs: Mapping[str, Any]) -> bool:
    """Fills placeholders, in place; False if an input that one asks for is missing."""
    for field, value in terms.items():
        if match := _PLACEHOLDER.fullmatch(value):
            key, name = match.groups()
            if key not in inputs["artifacts"]:
                return False
            terms[field] = str(inputs["artifacts"][key]["artifacts"][0]["metadata"][name])
    return True


def _matches(artifact: dict[str, Any], terms: Mapping[str, str]) -> bool:
    for field, wanted in terms.items():
        if field == "name":
            is_same = artifact["name"] == wanted
        elif field == "state":
            is_same = wanted == "LIVE"  # the store gives no others
        elif match := re.fullmatch(r"metadata\.(\w+)\.number_value", field):
            is_same = artifact["metadata"].get(match[1]) == float(wanted)
        else:
            raise QueryError(f"{field!r} is no field of a query that TFX compiles")
        if not is_same:
            return False
    return True
