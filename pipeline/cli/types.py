"""How values are written on the command line, and how a shell completes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import click
from click.shell_completion import CompletionItem

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.months import parse_month

MOST_COMPLETED = 50
MONTHS = "select distinct strftime(month, '%Y-%m') from dim_month"
COUNTRIES = "select country from dim_country"
MODELS = "select distinct model_id from dim_model"


class MonthType(click.ParamType[date]):
    """A month on the command line: 2025-08."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The month, or a usage error that says how to write one."""
        try:
            return value if isinstance(value, date) else parse_month(value)
        except CensusError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The months that are published."""
        return _published(MONTHS, incomplete)


class PublishedType(click.ParamType[str]):
    """A value that the warehouse knows: `COUNTRIES` or `MODELS`."""

    name = "text"

    def __init__(self, query: str) -> None:
        self._query = query

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Those that are published and begin so."""
        return _published(self._query, incomplete)


class SourceType(click.ParamType[str]):
    """The name of a source."""

    name = "source"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The sources, each with a sentence."""
        from pipeline.sources.catalog import described_sources

        described: Mapping[str, str] = described_sources()
        return [CompletionItem(name, help=said) for name, said in described.items() if name.startswith(incomplete)]


def _published(query: str, incomplete: str) -> list[CompletionItem]:
    """What the query's one column has that begins so; nothing where nothing is published."""
    import duckdb

    from pipeline.databases import open_published
    from pipeline.publish.warehouse import FILE_NAME

    beginning = f"select * from ({query}) found(name) where starts_with(name, ?) order by name limit {MOST_COMPLETED}"  # noqa: S608
    try:
        with open_published(settings.published_folder() / FILE_NAME) as connection:
            return [CompletionItem(name) for (name,) in connection.execute(beginning, [incomplete]).fetchall()]
    except duckdb.Error:
        return []
