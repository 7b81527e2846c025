"""Where the census keeps its things, from the environment.

Every variable, its default and its effect are listed in `docs/operations.md`.
"""

import math
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pipeline.errors import CensusError

ORIGIN_RULES = ("equal_parts", "first_parent", "majority")
"""How a derivative can be split over its roots; the first is the census' own."""

Default = TypeVar("Default", bound=float | None)
ACCOUNT_REQUESTS = 10_000
"""Requests of one month where nothing else is set: an hour and a half at the Hub's pace for nameless clients."""

FEWER_MONTHS, MIXED_LISTS, CHANGED_HEADLINE = "fewer-months", "mixed-lists", "changed-headline"
ALLOWANCES = {
    FEWER_MONTHS: "a version without some of the months that are published now",
    MIXED_LISTS: "months that were made by different reviewed lists",
    CHANGED_HEADLINE: "a headline that corrections changed",
}
"""What a publication may do that is refused unless it is allowed."""

BOUNDARY_RULES = ("bridged", "nearest")
"""From all observations around it, or, as before, from the nearest alone; the first is the census' own."""


def census_home() -> Path:
    """`CENSUS_HOME`: the folder that holds lake, publications, cache and Dagster's instance.

    Raises:
        CensusError: its path has signs that libraries take for something else.
    """
    return _folder("CENSUS_HOME", os.environ.get("CENSUS_HOME", ".census"))


def lake_url() -> str:
    """`CENSUS_LAKE_URL`: where the lake is; a folder in `CENSUS_HOME` unless set."""
    return os.environ.get("CENSUS_LAKE_URL") or own_lake_url()


def own_lake_url() -> str:
    """The lake in `CENSUS_HOME`. Its path stands in the URL as it is: what is escaped there is another folder."""
    return f"file://{census_home() / 'lake'}"


def published_folder() -> Path:
    """Where publications go."""
    return census_home() / "published"


def published_url() -> str:
    """`CENSUS_PUBLISHED_URL`: where every publication is copied to; empty where it stays in `CENSUS_HOME`."""
    return os.environ.get("CENSUS_PUBLISHED_URL", "")


def source() -> str:
    """`CENSUS_SOURCE`: where snapshots of the Hub are read, unless a launch says otherwise; the sample if not set."""
    return os.environ.get("CENSUS_SOURCE") or "sample"


def first_month() -> str:
    """`CENSUS_FIRST_MONTH`: the first month that Dagster offers; by default that of the public archives."""
    return os.environ.get("CENSUS_FIRST_MONTH") or "2024-08"


def snapshots() -> str:
    """`CENSUS_SNAPSHOTS`: the folder of dumps that source `folder` reads; empty where there is none."""
    return os.environ.get("CENSUS_SNAPSHOTS", "")


def data_docs_folder() -> Path:
    """Where Great Expectations' Data Docs go."""
    return census_home() / "data_docs"


def postgres_url() -> str:
    """`CENSUS_POSTGRES_URL`: the database that the marts are loaded into; empty where there is none."""
    return os.environ.get("CENSUS_POSTGRES_URL", "")


def cache_folder() -> Path:
    """What may be deleted at any time and is then fetched or made again."""
    return census_home() / "cache"


def archive_files_kept() -> timedelta | None:
    """`CENSUS_ARCHIVE_FILES_KEPT_DAYS`: how long an archive's file is kept after its last use; for good unless set."""
    days = _number("CENSUS_ARCHIVE_FILES_KEPT_DAYS", None, "a number of days", most=timedelta.max.days)
    return None if days is None else timedelta(days=days)


def origin_rule(asked_for: str | None = None) -> str:
    """`CENSUS_ORIGIN_RULE`: how derivatives are split over their roots, where no rule is asked for.

    Raises:
        CensusError: there is no such rule.
    """
    rule = asked_for or os.environ.get("CENSUS_ORIGIN_RULE") or ORIGIN_RULES[0]
    if rule not in ORIGIN_RULES:
        raise CensusError(f"there is no origin rule {rule!r}: choose one of {', '.join(ORIGIN_RULES)}")
    return rule


def least_attributed() -> float | None:
    """`CENSUS_LEAST_ATTRIBUTED`: the share of a month's downloads that must be attributed; None where not set."""
    return _number("CENSUS_LEAST_ATTRIBUTED", None, "a share", most=1)


def check_thresholds() -> str:
    """`CENSUS_CHECK_THRESHOLDS`: other thresholds of warnings, as `group/table/check=number`, separated by commas."""
    return os.environ.get("CENSUS_CHECK_THRESHOLDS", "")


def dagster_folder() -> Path:
    """`DAGSTER_HOME`: the Dagster instance; a folder in `CENSUS_HOME` unless set. See `census_home`."""
    return _folder("DAGSTER_HOME", os.environ.get("DAGSTER_HOME") or census_home() / "dagster")


def account_requests() -> int:
    """`CENSUS_ACCOUNT_REQUESTS`: how many requests a month may spend on asking about accounts."""
    return int(_number("CENSUS_ACCOUNT_REQUESTS", ACCOUNT_REQUESTS, "a number of requests", is_whole=True))


def boundary_rule() -> str:
    """`CENSUS_BOUNDARIES`: how the counters at a boundary are read, by one of `BOUNDARY_RULES`."""
    rule = os.environ.get("CENSUS_BOUNDARIES") or BOUNDARY_RULES[0]
    if rule not in BOUNDARY_RULES:
        raise CensusError(f"CENSUS_BOUNDARIES is {rule!r}: set it to one of {', '.join(BOUNDARY_RULES)}")
    return rule


def fewest_still_listed() -> float:
    """`CENSUS_FEWEST_STILL_LISTED`: the share of its first models that a month must close with; 0.95 where not set."""
    return _number("CENSUS_FEWEST_STILL_LISTED", 0.95, "a share", most=1)


def heavy_steps() -> int:
    """`CENSUS_HEAVY_STEPS`: how many steps over large tables may run at a time, over all runs; 2 where not set."""
    return int(_number("CENSUS_HEAVY_STEPS", 2, "a number of steps", least=1, is_whole=True))


def ui_url() -> str:
    """`CENSUS_UI_URL`: where people open the Dagster UI; alerts link to it."""
    return os.environ.get("CENSUS_UI_URL", "http://127.0.0.1:3000").rstrip("/")


def alert_webhook() -> str | None:
    """`CENSUS_ALERT_WEBHOOK`: a secret address that takes Slack's form of a message; unset: alerts are only logged."""
    return os.environ.get("CENSUS_ALERT_WEBHOOK") or None


def _folder(name: str, written: str | Path) -> Path:
    """The folder, if libraries take its path for what it says: in one, `*`, `?`, `[` and `%20` may mean others."""
    folder = Path(written).expanduser().resolve()
    if found := re.search(r"[*?[]|%[0-9a-fA-F]{2}", str(folder)):
        raise CensusError(
            f"{name} cannot be {folder}, because of {found[0]!r} in the path, which Dagster and databases take for "
            "something else: name another folder"
        )
    return folder


def _number(
    name: str, default: Default, what: str, least: float = 0, most: float = math.inf, *, is_whole: bool = False
) -> float | Default:
    """The number that a variable is set to.

    Raises:
        CensusError: it is set to something else.
    """
    written = os.environ.get(name)
    if not written:
        return default
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not least <= number <= most or (is_whole and not number.is_integer()):
        bounds = f"{least:g} or more" if most == math.inf else f"a number from {least:g} to {most:g}"
        raise CensusError(f"{name} is {written!r}, not {what}: write {bounds}, or unset it")
    return number
