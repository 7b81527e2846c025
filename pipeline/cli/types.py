"""How months are written on the command line, and how a shell completes values."""

from collections.abc import Callable
from datetime import date
from typing import Any

import click
from click.shell_completion import CompletionItem

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.months import parse_month

MOST_COMPLETED = 50
Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def published(query: str) -> Completion:
    """Completes what the query's one column has of the published warehouse; nothing where nothing is published."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        import duckdb

        from pipeline.databases import open_published
        from pipeline.publish.warehouse import FILE_NAME

        begin_so = f"from ({query}) found(name) where starts_with(name, ?) order by name limit {MOST_COMPLETED}"
        try:
            with open_published(settings.published_folder() / FILE_NAME) as connection:
                return [CompletionItem(name) for (name,) in connection.execute(begin_so, [incomplete]).fetchall()]
        except duckdb.Error:
            return []

    return complete


MONTHS = published("select distinct strftime(month, '%Y-%m') from dim_month")
COUNTRIES = published("select country from dim_country")
MODELS = published("select distinct model_id from dim_model")


def sources(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the name of a source, each with a sentence."""
    from pipeline.sources.snapshots import described_sources

    return [
        CompletionItem(name, help=said) for name, said in described_sources().items() if name.startswith(incomplete)
    ]


class MonthType(click.ParamType[date]):
    """A month on the command line: 2025-08."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The month, or a usage error that says how to write one."""
        try:
            return value if isinstance(value, date) else parse_month(value)
        except CensusError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The months that are published."""
        return MONTHS(ctx, param, incomplete)
