"""Assets from table declarations: whatever the declaration says is not said again in the asset."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import dagster as dg

from pipeline.errors import CensusError, TemporaryError, storage_trouble
from pipeline.orchestration.partitions import MONTHS
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.schema.groups import CHAIN
from pipeline.secrets import hidden, holds_a_secret
from pipeline.version import __version__

Body = TypeVar("Body", bound=Callable[..., Any])


@dataclass(frozen=True)
class CatalogueAssets:
    """Assets and checks that can be defined only once every table is known: `pipeline.definitions` builds them."""

    build: Callable[[Catalogue], Sequence[dg.AssetsDefinition | dg.AssetChecksDefinition]]


MONTHLY = ("grain", "month")
"""The tag of every asset that is made month by month."""
READS_HUB = ("reads", "hub")
BY_HAND = ("made", "by_hand")
"""The tag of assets that no job makes."""
HUB_POOL = "hub_api"
"""One step at a time speaks with the Hub: its quota is one, and crawls must not share it."""
HEAVY_POOL = "heavy_steps"
"""Steps over tables with a row for each repository or edge, which hold most of a month's memory: so many of them at a
time, over all runs of an instance, as the machine has room for (`CENSUS_HEAVY_STEPS`)."""
OWNERS = ["team:open-model-census"]
NETWORK_RETRIES = dg.RetryPolicy(max_retries=3, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that speak with a Hub; only causes that may pass are tried again."""


def pool_of(tables: Iterable[Table]) -> str | None:
    """The pool of a step that reads or makes these tables; None where it needs none."""
    return HEAVY_POOL if any(table.is_large for table in tables) else None


def table_asset(
    table: Table, *, deps: Sequence[Table] = (), reads_network: bool = False, **ins: Table
) -> Callable[[Body], dg.AssetsDefinition]:
    """Decorates the body of the asset that makes `table`: it returns the table's frame for the run's month.

    `ins` names the body's parameters by the tables that they are.
    """
    name, made_from = f"{table.group}__{table.name}", {table: (*ins.values(), *deps)}
    return table_assets(name, made_from, deps=deps, reads_network=reads_network, **ins)


def table_assets(
    name: str,
    made_from: Mapping[Table, Sequence[Table]],
    *,
    deps: Sequence[Table] = (),
    reads_network: bool = False,
    **ins: Table,
) -> Callable[[Body], dg.AssetsDefinition]:
    """Decorates one body that makes several tables: it returns their frames in the same order.

    `made_from` says of each what it is made from, which may be another of them.
    """

    def decorate(body: Body) -> dg.AssetsDefinition:
        return dg.multi_asset(
            name=name,
            outs={
                table.name: dg.AssetOut(
                    key=asset_key(table),
                    group_name=table.group,
                    io_manager_key="lake_io",
                    **asset_facts(table, reads_network=reads_network),
                )
                for table in made_from
            },
            ins={parameter: dg.AssetIn(key=asset_key(table)) for parameter, table in ins.items()},
            deps=[asset_key(upstream) for upstream in deps],
            internal_asset_deps={
                table.name: {asset_key(upstream) for upstream in upstreams} for table, upstreams in made_from.items()
            },
            partitions_def=MONTHS if all(table.monthly for table in made_from) else None,
            retry_policy=NETWORK_RETRIES if reads_network else None,
            pool=HUB_POOL if reads_network else pool_of([*made_from, *ins.values()]),
        )(in_plain_words(body))

    return decorate


def asset_key(table: Table) -> dg.AssetKey:
    """`[group, name]`."""
    return dg.AssetKey([table.group, table.name])


def asset_facts(table: Table, *, reads_network: bool = False) -> dict[str, Any]:
    """What Dagster shows of an asset that is already in the table's declaration."""
    return {
        "description": description(table),
        "kinds": {"parquet", "polars"},
        "owners": OWNERS,
        "code_version": __version__,
        "tags": dict([MONTHLY] * table.monthly + [READS_HUB] * reads_network),
        "metadata": {
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": table.path,
            "key": ", ".join(table.key),
            "docs": dg.MetadataValue.path(CHAIN[table.group]),
        },
    }


def description(table: Table) -> str:
    """Grain, method and warnings in Markdown."""
    parts = [f"**One row per {table.grain}.**", table.description]
    if table.warnings:
        parts.append("\n".join(f"- {warning}" for warning in table.warnings))
    return "\n\n".join(parts)


def column_schema(table: Table) -> dg.TableSchema:
    """The declared columns as Dagster shows them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                str(column.type),
                column.meaning_and_unit,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
                tags={"key": ""} if column.name in table.key else {},
            )
            for column in table.columns
        ]
    )


def in_plain_words(body: Body) -> Body:
    """The body, with the census' own errors, and disks that take no more, shown as one sentence without secrets.

    Only causes that may pass are tried again.
    """

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return body(*args, **kwargs)
        except Exception as error:
            sentence = str(error) if isinstance(error, CensusError) else storage_trouble(error)
            secret = holds_a_secret(error)
            if sentence is None and not secret:
                raise
            said = hidden(sentence or f"{type(error).__name__}: {error}")
            raise dg.Failure(said, allow_retries=isinstance(error, TemporaryError)) from None if secret else error

    return run  # type: ignore[return-value]
