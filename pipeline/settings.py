"""Where the census keeps its things, from the environment.

Every variable, its default and its effect are listed in `docs/operations.md`.
"""

from __future__ import annotations

import math
import os
from datetime import timedelta
from pathlib import Path

from pipeline.errors import CensusError

ORIGIN_RULES = ("equal_parts", "first_parent", "majority")
"""How a derivative can be split over its roots; the first is the census' own."""

ACCOUNT_REQUESTS = 10_000
"""Requests of one month where nothing else is set: an hour and a half at the Hub's pace for nameless clients."""


def census_home() -> Path:
    """`CENSUS_HOME`: the folder that holds lake, publications, cache and Dagster's instance."""
    return Path(os.environ.get("CENSUS_HOME", ".census")).expanduser().resolve()


def lake_url() -> str:
    """`CENSUS_LAKE_URL`: where the lake is; a folder in `CENSUS_HOME` unless set."""
    return os.environ.get("CENSUS_LAKE_URL") or (census_home() / "lake").as_uri()


def published_folder() -> Path:
    """Where publications go."""
    return census_home() / "published"


def published_url() -> str:
    """`CENSUS_PUBLISHED_URL`: where every publication is copied to; empty where it stays in `CENSUS_HOME`."""
    return os.environ.get("CENSUS_PUBLISHED_URL", "")


def source() -> str:
    """`CENSUS_SOURCE`: where snapshots of the Hub are read, unless a launch says otherwise; the sample if not set."""
    return os.environ.get("CENSUS_SOURCE") or "sample"


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
    """`CENSUS_ARCHIVE_FILES_KEPT_DAYS`: how long an archive's file is kept after its last use; for good unless set.

    Raises:
        CensusError: it is not a number of days.
    """
    days = os.environ.get("CENSUS_ARCHIVE_FILES_KEPT_DAYS", "")
    try:
        return timedelta(days=float(days)) if days else None
    except (ValueError, OverflowError) as error:
        raise CensusError(f"CENSUS_ARCHIVE_FILES_KEPT_DAYS is {days!r}: set it to a number of days") from error


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
    """`CENSUS_LEAST_ATTRIBUTED`: the share of a month's downloads that must be attributed; None where not set.

    Raises:
        CensusError: it is not a share.
    """
    written = os.environ.get("CENSUS_LEAST_ATTRIBUTED")
    if not written:
        return None
    try:
        least = float(written)
    except ValueError:
        least = math.nan
    if not 0 <= least <= 1:
        raise CensusError(
            f"CENSUS_LEAST_ATTRIBUTED is {written!r}, not a share: write a number from 0 to 1, or unset it"
        )
    return least


def check_thresholds() -> str:
    """`CENSUS_CHECK_THRESHOLDS`: other thresholds of warnings, as `group/table/check=number`, separated by commas."""
    return os.environ.get("CENSUS_CHECK_THRESHOLDS", "")


def dagster_folder() -> Path:
    """`DAGSTER_HOME`: the Dagster instance; a folder in `CENSUS_HOME` unless set."""
    return Path(os.environ.get("DAGSTER_HOME") or census_home() / "dagster").expanduser().resolve()


def account_requests() -> int:
    """`CENSUS_ACCOUNT_REQUESTS`: how many requests a month may spend on asking about accounts.

    Raises:
        CensusError: it is not a whole number.
    """
    written = os.environ.get("CENSUS_ACCOUNT_REQUESTS") or str(ACCOUNT_REQUESTS)
    if not written.isdecimal():
        raise CensusError(f"CENSUS_ACCOUNT_REQUESTS is {written!r}, not a number of requests: write one, or unset it")
    return int(written)


def fewest_still_listed() -> float:
    """`CENSUS_FEWEST_STILL_LISTED`: the share of a month's first repositories that its close must have; 0.95 if unset.

    Raises:
        CensusError: it is no share.
    """
    written = os.environ.get("CENSUS_FEWEST_STILL_LISTED") or "0.95"
    try:
        share = float(written)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise CensusError(f"CENSUS_FEWEST_STILL_LISTED is {written!r}: write a share from 0 to 1, or unset it")
    return share


def heavy_steps() -> int:
    """`CENSUS_HEAVY_STEPS`: how many steps over large tables may run at a time, over all runs; 2 where not set.

    Raises:
        CensusError: it is not a whole number above 0.
    """
    written = os.environ.get("CENSUS_HEAVY_STEPS") or "2"
    if not written.isdecimal() or int(written) == 0:
        raise CensusError(f"CENSUS_HEAVY_STEPS is {written!r}, not a number of steps: write 1 or more, or unset it")
    return int(written)


def ui_url() -> str:
    """`CENSUS_UI_URL`: where people open the Dagster UI; alerts link to it."""
    return os.environ.get("CENSUS_UI_URL", "http://127.0.0.1:3000").rstrip("/")


def alert_webhook() -> str | None:
    """`CENSUS_ALERT_WEBHOOK`: a secret address that takes Slack's form of a message; unset: alerts are only logged."""
    return os.environ.get("CENSUS_ALERT_WEBHOOK") or None
