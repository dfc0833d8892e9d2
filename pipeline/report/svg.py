"""Matplotlib's figures as SVG that takes its colours and its font from the page."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from lxml import etree
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Drawn in a colour that stands for the page's variable of that name, so that one figure is right in the
# light and in the dark.
INK, MUTED, LINE, ACCENT, OTHER, GOOD, BAD, PAPER = (
    "#010203",
    "#020304",
    "#030405",
    "#040506",
    "#050607",
    "#060708",
    "#070809",
    "#08090a",
)
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    ACCENT: "--accent",
    OTHER: "--other",
    GOOD: "--good",
    BAD: "--bad",
    PAPER: "--paper",
}
_SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


class Drawing:
    """A figure being drawn; `svg` is set when its `with` block ends."""

    def __init__(self, figure: Figure):
        self.figure = figure
        self.svg = Markup("")

    def axes(self, rows: int = 1, columns: int = 1, **settings: Any) -> list[Axes]:
        """All axes of a grid, row by row."""
        return list(self.figure.subplots(rows, columns, squeeze=False, **settings).flat)


@contextmanager
def drawing(name: str, width: float, height: float, describes: str) -> Iterator[Drawing]:
    """A figure in the page's style.

    Args:
        name: unlike that of every other figure of the page: makes its ids.
        width: in inches; the page shrinks what is too wide for it.
        height: in inches.
        describes: what is seen, for those who can't.
    """
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        drawn = Drawing(Figure(figsize=(width, height), layout="constrained"))
        yield drawn
        buffer = io.BytesIO()
        FigureCanvasSVG(drawn.figure).print_svg(
            buffer,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    drawn.svg = _for_page(buffer.getvalue(), name, describes)


def _for_page(svg: bytes, name: str, describes: str) -> Markup:
    """Strips what a page has already, and names colours and font as the page does."""
    # Matplotlib's document is our own: no entities, nothing to load.
    root = etree.fromstring(svg, etree.XMLParser(remove_comments=True, resolve_entities=False))
    width = float(root.get("width").removesuffix("pt"))
    for attribute in ("width", "height", "version"):
        del root.attrib[attribute]
    root.set("role", "img")
    root.set("aria-label", describes)
    root.set("style", f"max-width: {width / 72:.2f}in")
    text = etree.tostring(root, encoding="unicode")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    text = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return Markup(re.sub(r">\s+<", "><", text))
