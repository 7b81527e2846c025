"""What many times today's Hub would need, on paper: the table of `docs/scale.md` from measured costs, assumed prices.

    python -m benchmarks.capacity                          prints it
    python -m benchmarks.capacity --page docs/scale.md     writes it into the page

Costs are those of `docs/performance.md` and `docs/operations.md` for one million models and month; everything is taken
to grow with the number of models, which was measured up to three million (exponents of 0.5 to 1), and once at ten.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TODAY = 3_000_000
"""Models on the Hub, about, in 2026."""
BEGIN, END = "<!-- capacity: begin -->\n", "<!-- capacity: end -->\n"

# docs/operations.md, by `python -m benchmarks.needs`.
LAKE_GB_PER_MILLION = 0.254
EVENTS_MB_PER_RUN = 15
# The Hub's own limits: models a page of the listing, requests in five minutes with an account.
MODELS_A_PAGE = 1_000
REQUESTS_AN_HOUR = 12_000

# Assumed prices, USD: look up your own.
GIB_HOUR = 0.006
PROCESSOR_HOUR = 0.04
GB_MONTH = 0.023
HEAD_MONTH = 150.0
"""Web server, daemon, PostgreSQL and Redis on two small machines."""
MONTHS_KEPT = 24
MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Cost:
    """What one stage was measured to cost at its number of models."""

    models: int
    seconds: float
    processor_seconds: float
    peak_gib: float


def measured(stage: str) -> Cost:
    """The stage's line in `docs/performance.md`."""
    page = (ROOT / "docs" / "performance.md").read_text()
    line = next(line for line in page.splitlines() if line.startswith(f"| {stage} |"))
    _, _, models, _, seconds, _, processor_seconds, peak, *_ = (cell.strip() for cell in line.split("|"))
    return Cost(int(models.replace(",", "")), float(seconds), float(processor_seconds), float(peak))


@dataclass(frozen=True)
class Need:
    """One way in which the census could grow: models at each snapshot, and snapshots a year."""

    name: str
    models: int
    snapshots: int = MONTHS_A_YEAR

    def line(self, month: Cost, publication: Cost) -> str:
        """The row of the table."""
        times = self.models / month.models
        hours, memory = month.seconds * times / 3600, month.peak_gib * times
        lake = LAKE_GB_PER_MILLION * self.models / 1e6
        kept = lake * self.snapshots * MONTHS_KEPT / MONTHS_A_YEAR
        crawl = self.models / MODELS_A_PAGE / REQUESTS_AN_HOUR
        publishing = publication.seconds * self.models / publication.models * self.snapshots / MONTHS_A_YEAR / 3600
        processors = month.processor_seconds * times / 3600 * PROCESSOR_HOUR
        run = processors + memory * hours * GIB_HOUR
        a_year = run * self.snapshots + kept * GB_MONTH * MONTHS_A_YEAR + HEAD_MONTH * MONTHS_A_YEAR
        cells = (
            self.name,
            f"{self.models / 1e6:,.0f}",
            f"{self.snapshots:,}",
            _hours(hours),
            f"{memory:,.0f}",
            _size(lake),
            _size(kept),
            _hours(crawl),
            _hours(publishing),
            f"{hours * self.snapshots * MONTHS_KEPT / MONTHS_A_YEAR:,.1f}",
            f"{run:,.3f}",
            f"{a_year:,.0f}",
        )
        return f"| {' | '.join(cells)} |"


NEEDS = (
    Need("today", TODAY),
    Need("10 times", 10 * TODAY),
    Need("100 times", 100 * TODAY),
    Need("1,000 times", 1000 * TODAY),
    Need("today, every day", TODAY, 365),
    Need("ten hubs like it", TODAY, 10 * MONTHS_A_YEAR),
)


def _hours(hours: float) -> str:
    return f"{hours * 60:,.0f} min" if hours < 2 else f"{hours:,.0f} h"


def _size(gigabytes: float) -> str:
    return f"{gigabytes:,.1f} GB" if gigabytes < 1000 else f"{gigabytes / 1000:,.1f} TB"


def table() -> str:
    """The capacity that each need asks for, as Markdown."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    month = measured("a whole month through Dagster, with every check")
    publication = measured("publishing 24 months")
    yield (
        "| | million models | snapshots a year | one snapshot, 2 cores | its memory, GiB | in the lake | two years |"
        " crawl, at least | a publication | hours of machine for two years | USD a snapshot | USD a year |"
    )
    yield "|---" * 12 + "|"
    for need in NEEDS:
        yield need.line(month, publication)


def page_with(text: str) -> str:
    """The page with the table as it is now."""
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}{table()}{END}", text, flags=re.DOTALL)


def main() -> None:
    """Prints the table, or writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="the page to write the table into")
    page = parser.parse_args().page
    if page is None:
        print(table())
    else:
        page.write_text(page_with(page.read_text()))


if __name__ == "__main__":
    main()
