"""Days on which counters stood still or fell are held to the reviewed list, which has 2025-10-01 as frozen."""

from datetime import date, datetime, timedelta

import pytest

from assets.listings.closing_counters import COUNTER_DAYS
from tests.assets.rows import rows_of
from tests.checks.scenario import FramesInMemory

NOT_FOUND = (date(2025, 10, 1), "known as frozen and not found")


def otherwise_known(first, *states, source="hub_stats"):
    """What is told of days from midnight to midnight, of which the first is named."""
    begin = datetime.fromisoformat(f"2025-{first}T00:00Z")
    days = [
        {"observed_from": begin + timedelta(place), "observed_until": begin + timedelta(place + 1)}
        | {"cohort": "all", "state": state, "source": source}
        for place, state in enumerate(states)
    ]
    days += [row | {"cohort": "2024", "state": "rolled_back"} for row in days]
    [rule] = COUNTER_DAYS.rules
    return rule.violations(FramesInMemory({COUNTER_DAYS.path: rows_of(COUNTER_DAYS, days)}, {})).collect().rows()


def not_known(day, state="frozen"):
    return date.fromisoformat(f"2025-{day}"), f"{state} and not known"


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("moving", "moving", "moving", "moving", "moving"), [NOT_FOUND]),
        (("frozen", "moving", "moving", "moving", "moving"), [not_known("09-29"), NOT_FOUND]),
        (("moving", "frozen", "moving", "moving", "moving"), []),
        (("moving", "moving", "frozen", "moving", "moving"), []),
        (("moving", "moving", "moving", "frozen", "moving"), [not_known("10-02"), NOT_FOUND]),
        (("moving", "moving", "rolled_back", "moving", "moving"), [not_known("10-01", "rolled_back"), NOT_FOUND]),
        (("unknown", "moving", "frozen", "frozen", "frozen"), [not_known("10-02"), not_known("10-03")]),
    ],
)
def test_what_is_found_and_not_known_and_what_is_known_and_not_found_is_told_by_day(states, said):
    assert otherwise_known("09-29", *states) == said


@pytest.mark.parametrize(
    ("first", "days", "said"),
    [("10-01", 1, [NOT_FOUND]), ("10-02", 3, []), ("09-29", 2, []), ("09-29", 3, [NOT_FOUND])],
)
def test_only_what_lies_wholly_among_the_days_could_have_been_found(first, days, said):
    assert otherwise_known(first, *["moving"] * days) == said


def test_what_was_invented_is_held_to_no_list():
    assert otherwise_known("09-29", "frozen", "moving", "moving", source="sample") == []
    assert otherwise_known("09-29") == []
