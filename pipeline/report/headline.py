"""The headline: countries' shares of the downloads of new models over a year, and the figures printed below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.report.figures import (
    TEXTS,
    Definition,
    FigureReader,
    ReadFigure,
    Row,
    folded,
    headline_definition,
    open_warehouse,
    written,
)
from pipeline.report.words import terms_as_text
from pipeline.schema.figure import Figure, Shown
from pipeline.text import plain

HEADLINE = "countries"
"""The key of the figure that is the headline."""
_ALWAYS_SAID = ("Window", "Denominator", "Coverage")
"""Terms that stand below every figure; the others where they differ from the headline's."""


@dataclass(frozen=True)
class Headline:
    """The headline's definition, and every figure that is printed with it, itself the first."""

    definition: Definition
    figures: Sequence[ReadFigure]

    @property
    def members(self) -> list[dict[str, Any]]:
        """Downloads, shares and bounds of the largest countries, of the others together, and of what is no country."""
        view, chart = self.figures[0].views[0], self.figures[0].figure.chart
        names = ("downloads", "share", "share_low", "share_high")
        rows = folded(view.rows, chart, chart.name) if chart else view.rows
        return [{"name": row["shown"]} | {name: row[name] for name in names} for row in rows]

    def as_dict(self) -> dict[str, Any]:
        """The headline as plain values, months as text."""
        window = self.figures[0].views[0].window
        return asdict(self.definition) | {
            "last_month": f"{self.definition.last_month:%Y-%m}",
            "attribution": "uploader",
            "months": [f"{month:%Y-%m}" for month in window.months],
            "missing": [f"{month:%Y-%m}" for month in window.missing],
            "sources": window.sources,
            "is_synthetic": window.is_synthetic,
            "statement": dict(self.figures[0].views[0].statement),
            "members": self.members,
            "figures": [figure.as_dict() for figure in self.figures[1:]],
        }

    def as_text(self) -> str:
        """Every figure as a table under a statement that says what it is of."""
        first, *rest = self.figures
        label = first.views[0].window.label()
        said = first.views[0].statement
        blocks = [[f"{label}. " * bool(label) + first.figure.title, *terms_as_text(said), "", *_table(first)]]
        for figure in rest:
            view = figure.views[0]
            different = {
                term: words for term, words in view.statement.items() if term in _ALWAYS_SAID or words != said.get(term)
            }
            table = _table(figure) if view.rows else [f"  {figure.figure.if_empty}"]
            blocks.append([figure.marked_title, *terms_as_text(different), *table])
        return "\n\n".join("\n".join(block) for block in blocks)


def read_headline(folder: Path, figures: Iterable[Figure], last_month: date | None = None) -> Headline:
    """The headline of the warehouse published in `folder`, with those of the declared figures that are printed.

    Raises:
        CensusError: nothing is published, or not that month.
    """
    with open_warehouse(folder) as connection:
        definition = headline_definition(connection, last_month)
        reader = FigureReader(connection, definition)
        return Headline(definition, [reader.read(figure) for figure in figures if figure.is_printed])


def _table(read: ReadFigure) -> list[str]:
    """The first view's rows in columns: texts to the left, numbers to the right."""
    figure, view = read.figure, read.views[0]
    rows: Sequence[Row] = view.rows
    columns = list(figure.columns)
    if figure.chart and figure.chart.name not in rows[0].keys() & {shown.column for shown in columns}:
        rows = folded(rows, figure.chart, figure.chart.name)
        columns[0] = Shown(figure.chart.name, columns[0].heading, columns[0].kind)
    cells = [[shown.heading for shown in columns]]
    cells += [[plain(written(row[shown.column], shown.kind)) for shown in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = ["<" if shown.kind in TEXTS else ">" for shown in columns]
    return [
        "  "
        + "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in cells
    ]
