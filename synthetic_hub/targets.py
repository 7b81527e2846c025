"""What the world is calibrated to: the published figures, and the profiles that plant them, declared in `data/`.

`targets.csv` has a row for each published figure: as its source states it, and as it is planted (empty where the world
does not reproduce it), both in percent. Where figures exclude one another, `how` says which gave way.

`months.csv` has a row for each month: downloads a day of a world of 20,000 repositories (from March 2025 the Hub's
own), the percent of them that new models and derivatives take, the percent of new models' downloads that members with a
published share take, and the percent of all downloads that models planted by name take.

`members.csv` has relative shares of the other members among new models, and of all among old ones, and how much of a
member's downloads its derivatives take before all are scaled to the month's share of derivatives.

`families.csv` has root families: their percent of a month's new derivatives (linear between the months named), whether
their makers' own derivatives stay in the family, and what their models are. `tasks.csv` says which tasks make a
language model (text or vision-language), and of what modality.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_hub.timeline import BOUNDARIES, MONTHS, Floats, month_number

NEW_MODEL_DAYS = 365
"""A model is new in a month when it is at most this old at the month's close."""

GIANT = "sentence-transformers/all-MiniLM-L6-v2"
BOT_BURST = "MIT/ast-finetuned-audioset-10-10-0.4593"
TEST_TRAFFIC = "trl-internal-testing/tiny-random-LlamaForCausalLM"
PLANTED_BY_NAME = (GIANT, BOT_BURST, TEST_TRAFFIC)
BURST_PERCENT = 2.0
"""From this percent of a month's downloads on, those of `BOT_BURST` are a bot's."""

_PLANTED_SHARES = {
    "CN": "china_share_new_trailing_12_2025_08",
    "US": "usa_share_new_trailing_12_2025_08",
    "international": "international_share_new_trailing_12_2025_08",
}
_TRAILING_YEAR = slice(1, 13)
"""The places of 2024-09 to 2025-08 among the months."""
_OTHER_WEIGHT = 0.05
_OTHER_LEANING = 0.3
_OLD_LEANING = 0.3
"""How much derivatives take of old models' downloads, as a part of what they take of new ones'."""
_QUOTA_MONTHS = (date(2024, 1, 1), date(2024, 10, 1), date(2025, 4, 1), date(2025, 9, 1))


@cache
def table(name: str) -> pl.DataFrame:
    """A table of `data/`."""
    return pl.read_csv(Path(__file__).parent / "data" / f"{name}.csv", infer_schema_length=None)


def by_month(column: str) -> Floats:
    """A column of `months.csv`, with percent as parts of one."""
    values = table("months")[column].cast(pl.Float64).to_numpy()
    return values if column == "million_downloads_a_day" else values / 100


def new_country_shares(countries: list[str]) -> Floats:
    """Shares of the population new by month and country, each month summing to 1.

    Members with a published share keep their profile's shape and are shifted to hit it over the trailing year.
    """
    weight = monthly_downloads(1.0) * by_month("new_percent")
    weight = weight[_TRAILING_YEAR] / weight[_TRAILING_YEAR].sum()
    shares = np.zeros((len(MONTHS), len(countries)))
    planted = dict(table("targets").select("name", "planted").iter_rows())
    for country, figure in _PLANTED_SHARES.items():
        shape = by_month(country)
        shift = planted[figure] / 100 - float(weight @ shape[_TRAILING_YEAR])
        shares[:, countries.index(country)] = shape + shift
    rest = _by_member("new_weight", countries, _OTHER_WEIGHT)
    rest[[countries.index(country) for country in _PLANTED_SHARES]] = 0.0
    return np.asarray(shares + (1 - shares.sum(axis=1))[:, None] * rest / rest.sum())


def old_country_shares(countries: list[str]) -> Floats:
    """Shares of the models that are not new by country, summing to 1."""
    shares = _by_member("old_weight", countries, _OTHER_WEIGHT)
    return np.asarray(shares / shares.sum())


def derivative_leanings(countries: list[str]) -> Floats:
    """How much of a country's downloads its derivatives take, of old models and of new ones."""
    leaning = _by_member("derivative_leaning", countries, _OTHER_LEANING)
    return np.stack([leaning * _OLD_LEANING, leaning], axis=1)


def _by_member(column: str, countries: list[str], otherwise: float) -> Floats:
    known = dict(table("members").select("member", column).drop_nulls().iter_rows())
    return np.array([known.get(country, otherwise) for country in countries], np.float64)


def monthly_downloads(scale: float) -> Floats:
    """Downloads of each month; `scale` is the number of repositories in units of 20,000."""
    days = np.array([(close - open_).days for open_, close in pairwise(BOUNDARIES)])
    return np.asarray(by_month("million_downloads_a_day") * 1e6 * days * scale)


def family_quotas(months: Floats) -> tuple[list[str], Floats]:
    """Root families and their shares of the new derivatives of each month (counted from January 1970)."""
    known = [month_number(month) for month in _QUOTA_MONTHS]
    points = table("families").select(f"quota_{month:%Y_%m}" for month in _QUOTA_MONTHS)
    quotas = np.array([np.interp(months, known, row) for row in points.iter_rows()]).T
    return table("families")["family"].to_list(), np.asarray(quotas / quotas.sum(axis=1, keepdims=True))
