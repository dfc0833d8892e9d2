"""A model card as Markdown, in the order of Mitchell et al. (arXiv 1810.03993, section 4)."""

from typing import Any

import jinja2
from markupsafe import Markup

from components.evaluator.verdict import OVERALL, Estimate
from components.model_card.card import architecture, input_format, output_format
from components.model_card.facts import Facts

_NOT_STATED = "_Not stated; `model_card` in the config is the place._"


def card_text(facts: Facts) -> str:
    """The whole card; what comes from data or config cannot become Markdown or HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.model_card"),
        autoescape=True,  # of what `_plain` lets through: nothing
        finalize=_plain,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["estimate"] = _estimate
    overall = facts.verdict.overall
    return environment.get_template("model_card.md.j2").render(
        facts=facts,
        stated=facts.stated,
        verdict=facts.verdict,
        architecture=architecture(facts),
        input=input_format(facts),
        output=output_format(facts),
        not_stated=Markup(_NOT_STATED),
        overall=overall.metrics if overall else {},
        columns=[name for name in overall.metrics if ":" not in name] if overall else [],
        slices=[one for one in facts.verdict.slices if one.slice != OVERALL],
    )


def _plain(value: Any) -> Markup:
    """A value on one line, with what Markdown or HTML would act on made harmless."""
    if isinstance(value, Markup):  # a macro's output
        return value
    text = " ".join(str(value).split())
    for character in "\\`*_[]|":
        text = text.replace(character, f"\\{character}")
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;"))


def _estimate(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not measured"
    value = f"{estimate.value:.3f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({estimate.low:.3f} – {estimate.high:.3f})"
