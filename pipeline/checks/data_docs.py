"""Great Expectations' own Data Docs of one month: a page a table, and an index of them.

What the checks count is validated again, with a number for each constraint, and the report is rendered by Great
Expectations' own renderer.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.checks.asset_checks import LakeFrames
from pipeline.checks.declared import Bounds
from pipeline.checks.evaluate import Result, evaluate, validate
from pipeline.lake.store import Lake
from pipeline.schema.declaration import Table

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult


def write_data_docs(lake: Lake, tables: Sequence[Table], month: date, folder: Path) -> int:
    """Writes the pages in place of what `folder` held; how many expectations they show.

    The pages load their styles from the network, as Great Expectations makes them.
    """
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    frames = LakeFrames(lake, {table.path: table for table in tables}, month)
    rows, shown = [], 0
    for table in tables:
        numbers = {name: number for result in evaluate(table, frames) for name, number in _numbers(result)}
        if not numbers:
            continue
        report, name = validate(numbers), f"{table.group}-{table.name}.html"
        (unfinished / name).write_text(_page(report), encoding="utf-8")
        met = f"{sum(bool(result.success) for result in report.results)}/{len(report.results)}"
        rows.append(f'<tr><td><a href="{name}">{escape(table.path)}</a></td><td>{met}</td></tr>')
        shown += len(report.results)
    title = f"Data Docs of {month:%Y-%m}"
    heading = f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>"
    index = f"{heading}<table><tr><th>table</th><th>met</th></tr>{''.join(rows)}</table>"
    (unfinished / "index.html").write_text(index, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return shown


def _numbers(result: Result) -> Iterator[tuple[str, tuple[Any, Bounds]]]:
    """What decided the check, and how many rows break each constraint."""
    yield from ((f"{result.check.name}: {name}", number) for name, number in result.decided_by.items())
    for count in result.by_column:
        yield f"{count['column']} {count['constraint']}", (count["failed"], Bounds(maximum=0))


def _page(report: "ExpectationSuiteValidationResult") -> str:
    from great_expectations.render.renderer.page_renderer import (  # noqa: PLC0415 - seconds to import
        ValidationResultsPageRenderer,
    )
    from great_expectations.render.view.view import DefaultJinjaPageView  # noqa: PLC0415

    page = ValidationResultsPageRenderer().render(report)
    return str(DefaultJinjaPageView().render(page))  # type: ignore[no-untyped-call]
