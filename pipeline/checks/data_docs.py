"""Great Expectations' own Data Docs of one month: a page a table, and an index of them.

The row of numbers that the checks hand to Great Expectations is validated again, with a number for each constraint, and
its report is rendered by its own renderer (see `pipeline.checks.evaluate`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.checks.evaluate import measure
from pipeline.checks.lake_frames import LakeFrames
from pipeline.checks.suite import validate
from pipeline.lake.readable import ReadableLake
from pipeline.schema.declaration import Table

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult


def write_data_docs(lake: ReadableLake, tables: Sequence[Table], month: date, folder: Path) -> int:
    """Writes the pages in place of what `folder` held; how many expectations they show.

    The pages load their styles from the network, as Great Expectations makes them.
    """
    unfinished, outdated = (folder.with_name(f"{folder.name}.{state}") for state in ("unfinished", "outdated"))
    for leftover in (unfinished, outdated):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    frames = LakeFrames(lake, {table.path: table for table in tables}, month)
    rows = []
    shown = 0
    for table in tables:
        asked = {name: number for one in measure(table, frames) for name, number in one.asked_in_full().items()}
        report = validate(asked).report
        if report is None:
            continue
        name = f"{table.group}-{table.name}.html"
        (unfinished / name).write_text(_page(report), encoding="utf-8")
        met = f"{sum(bool(result.success) for result in report.results)}/{len(report.results)}"
        rows.append(f'<tr><td><a href="{name}">{escape(table.path)}</a></td><td>{met}</td></tr>')
        shown += len(report.results)
    (unfinished / "index.html").write_text(_index(month, rows), encoding="utf-8")
    if folder.exists():
        folder.rename(outdated)
    unfinished.rename(folder)
    shutil.rmtree(outdated, ignore_errors=True)
    return shown


def _index(month: date, rows: Sequence[str]) -> str:
    title = f"Data Docs of {month:%Y-%m}"
    table = f"<table><tr><th>table</th><th>met</th></tr>{''.join(rows)}</table>"
    return f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>{table}"


def _page(report: ExpectationSuiteValidationResult) -> str:
    from great_expectations.render.renderer.page_renderer import (  # noqa: PLC0415 - seconds to import
        ValidationResultsPageRenderer,
    )
    from great_expectations.render.view.view import DefaultJinjaPageView  # noqa: PLC0415

    page = ValidationResultsPageRenderer().render(report)
    return str(DefaultJinjaPageView().render(page))  # type: ignore[no-untyped-call]
