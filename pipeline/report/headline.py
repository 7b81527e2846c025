"""The headline: countries' shares of the downloads of new models over a year, and the figures printed below it."""

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
    headline_definition,
    open_warehouse,
    written,
)
from pipeline.report.statements import columns_as_text, terms_as_text
from pipeline.schema.figure import Figure
from pipeline.text import plain

_ALWAYS_SAID = ("Period", "Denominator", "Coverage")
"""Terms that stand below every figure; the others where they differ from the headline's."""


@dataclass(frozen=True)
class Headline:
    """The headline's definition, and every figure that is printed with it, itself the first."""

    definition: Definition
    figures: Sequence[ReadFigure]

    @property
    def members(self) -> list[dict[str, Any]]:
        """Downloads, shares and bounds of the largest countries, of the others together, and of what is no country."""
        names = ("downloads", "share", "share_low", "share_high")
        rows, _ = self.figures[0].in_brief()
        return [{"name": row["shown"]} | {name: row[name] for name in names} for row in rows]

    def as_dict(self) -> dict[str, Any]:
        """The headline as plain values, months as text."""
        view = self.figures[0].views[0]
        return asdict(self.definition) | {
            "last_month": f"{self.definition.last_month:%Y-%m}",
            "attribution": "uploader",
            "months": [f"{month:%Y-%m}" for month in view.period.months],
            "missing": [f"{month:%Y-%m}" for month in view.period.missing],
            "sources": sorted({facts.source for facts in view.period.held}),
            "is_synthetic": view.period.is_synthetic,
            "statement": dict(view.statement),
            "members": self.members,
            "figures": [figure.as_dict() for figure in self.figures[1:]],
        }

    def as_text(self) -> str:
        """Every figure as a table under a statement that says what it is of."""
        first, *others = self.figures
        said = first.views[0].statement
        blocks = [figure_as_text(first, first.labelled_title)]
        for figure in others:
            terms = figure.views[0].statement
            known = [term for term, words in terms.items() if term not in _ALWAYS_SAID and words == said.get(term)]
            blocks.append(figure_as_text(figure.without(*known), figure.marked_title))
        return "\n\n".join(blocks)


def figure_as_text(read: ReadFigure, title: str) -> str:
    """The figure's first view under its statement, as a table: texts to the left, numbers to the right."""
    view = read.views[0]
    lines = [title, *terms_as_text(view.statement), *([""] if title == read.labelled_title else [])]
    if not view.rows:
        return "\n".join([*lines, f"  {read.figure.if_empty}"])
    rows, columns = read.in_brief()
    cells = [[shown.heading for shown in columns]]
    cells += [[plain(written(row[shown.column], shown.kind)) for shown in columns] for row in rows]
    sides = "".join("<" if shown.kind in TEXTS else ">" for shown in columns)
    return "\n".join([*lines, *columns_as_text(cells, sides)])


def read_headline(folder: Path, figures: Iterable[Figure], last_month: date | None = None) -> Headline:
    """The headline of the warehouse published in `folder`, with those of the declared figures that are printed.

    Raises:
        CensusError: nothing is published, or not that month.
    """
    with open_warehouse(folder) as connection:
        definition = headline_definition(connection, last_month)
        reader = FigureReader(connection, definition)
        return Headline(definition, [reader.read(figure) for figure in figures if figure.is_printed])
