"""Calendar months in UTC, by their first day, and the boundaries between them."""

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

from pipeline.errors import CensusError

FIRST_MONTH = date(2020, 1, 1)
"""The first month that can be made: the Hub is hardly older. The public archives begin on 2024-07-29."""


def parse_month(text: str) -> date:
    """The month written as `2025-08` or `2025-08-01`.

    Raises:
        CensusError: the text is neither.
    """
    match = re.fullmatch(r"(\d{4})-(\d{2})(?:-01)?", text)
    if match is None or not 1 <= int(match[2]) <= 12:
        raise CensusError(f"{text!r} is not a month: write it as 2025-08 or 2025-08-01")
    return date(int(match[1]), int(match[2]), 1)


def next_month(month: date) -> date:
    """The month after."""
    return add_months(month, 1)


def previous_month(month: date) -> date:
    """The month before."""
    return add_months(month, -1)


def add_months(month: date, count: int) -> date:
    """The month that is `count` months later (earlier where negative)."""
    index = month.year * 12 + month.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """All months from `first` to `last`, both included; empty where `last` is earlier."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [add_months(first, offset) for offset in range(max(count, 0))]


def run_again(first: date, last: date | None = None, step: str = "") -> str:
    """The command that makes a month, or all to another one, anew, from a step on where one is named."""
    return f"`census run --from {first:%Y-%m} --to {last or first:%Y-%m}{f' --from-step {step}' if step else ''}`"


def stretches(months: Sequence[date]) -> list[list[date]]:
    """The months, which are in order, cut where one is missing."""
    found: list[list[date]] = []
    for month in months:
        if found and previous_month(month) == found[-1][-1]:
            found[-1].append(month)
        else:
            found.append([month])
    return found


def in_words(months: Sequence[date]) -> str:
    """The months, which are in order, as unbroken stretches: `2024-08 to 2025-04, 2025-06`; empty for none."""
    return ", ".join(
        f"{stretch[0]:%Y-%m}" + (f" to {stretch[-1]:%Y-%m}" if len(stretch) > 1 else "")
        for stretch in stretches(months)
    )


def days_in(month: date) -> int:
    """Days of the month."""
    return calendar.monthrange(month.year, month.month)[1]


def opening_of(month: date) -> datetime:
    """The boundary that opens the month: its first instant, UTC."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def closing_of(month: date) -> datetime:
    """The boundary that closes the month: the first instant of the next, UTC."""
    return opening_of(next_month(month))
