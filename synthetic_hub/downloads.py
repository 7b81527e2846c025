"""How often each repository is downloaded: planted increments of the cumulative counter, and the 30-day counter.

The planted figures are those a careful reader can measure, so the calibration holds for what the archive shows and not
only for a hidden reality: increments are planted between the times of the usable observations (the boundaries, except
where the archive's fault moves one), and the counters run straight between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub import targets
from synthetic_hub.accounts import UNAFFILIATED, Accounts
from synthetic_hub.pathologies import Pathologies
from synthetic_hub.population import NO_RELATION, Repositories, account_group, new_at_close
from synthetic_hub.timeline import ALL_TIME_SINCE, BOUNDARIES, DAY, MONTHS, Floats, Integers, last_day_of

CASES = ("absent", "measured", "created", "late_arrival", "counter_reset", "disappeared", "no_counter")
ABSENT, MEASURED, CREATED, LATE_ARRIVAL, COUNTER_RESET, DISAPPEARED, NO_COUNTER = range(7)

_LEVEL_LEFT = 1 / 20
"""Part of the downloads that is still counted after a repository's queried file changed."""
_FROZEN_FROM = 8
"""Number of the month from which on some 30-day counters stand still: April 2025."""
_PERSONS_WEIGHT = 60.0
"""Weight of the invented persons together beside the real re-uploaders."""


@dataclass
class Downloads:
    """Counters at the observations (15 times) and what grew between them (14 months), by repository."""

    observed: Integers
    """Times of the observations."""
    all_time: Integers
    """Observation x repository: the cumulative counter."""
    thirty_days: Integers
    """Observation x repository: the 30-day counter."""
    case: npt.NDArray[np.int8]
    """Month x repository: how the month is measured; a place in `CASES`."""
    countries: list[str]
    country: npt.NDArray[np.int16]
    """Month x account: a place in `countries`."""

    def measured(self, month: int) -> Floats:
        """Downloads of a month by repository, as the definitions have them from what was observed."""
        days = (BOUNDARIES[month + 1] - BOUNDARIES[month]).days
        counted = np.isin(self.case[month], (MEASURED, CREATED))
        if is_rolling(month):
            return np.where(counted, self.thirty_days[month + 1] * days / 30, 0.0)
        before = np.where(self.case[month] == CREATED, 0, self.all_time[month])
        between = (self.observed[month + 1] - self.observed[month]) / DAY
        return np.where(counted, (self.all_time[month + 1] - before) * days / between, 0.0)


def is_rolling(month: int) -> bool:
    """Whether a month must be measured by the 30-day counter, for want of the cumulative one at both ends."""
    return BOUNDARIES[month] < ALL_TIME_SINCE


def plant_downloads(
    accounts: Accounts,
    repositories: Repositories,
    found: Pathologies,
    observed: Integers,
    scale: float,
    rng: np.random.Generator,
) -> Downloads:
    """Counters of every repository at every observation, calibrated to `targets`."""
    size = repositories.size
    countries, country = _countries(accounts)
    downloads = Downloads(
        observed=observed,
        all_time=np.zeros((len(observed), size), np.int64),
        thirty_days=np.zeros((len(observed), size), np.int64),
        case=np.zeros((len(MONTHS), size), np.int8),
        countries=countries,
        country=country,
    )
    cells = _Cells(accounts, repositories, countries, scale)
    disagreement = rng.uniform(0.03, 0.09, size)
    late_burst = rng.integers(50, 5000, size)
    for month in range(len(MONTHS)):
        case = downloads.case[month] = _cases(repositories, found, observed, month)
        attention = np.where(
            np.isin(case, (MEASURED, CREATED)),
            repositories.popularity * _exposure(repositories, found, observed, month),
            0.0,
        )
        days = (BOUNDARIES[month + 1] - BOUNDARIES[month]).days
        account_country = country[month][repositories.account]
        if is_rolling(month):
            counts = cells.divide(month, account_country, attention, 30 / days)
            downloads.thirty_days[month + 1] = counts
            growth = (counts * days / 30 * (1 + disagreement)).astype(np.int64)
            if month == 0:
                _start(downloads, repositories, counts, rng)
        else:
            between = (observed[month + 1] - observed[month]) / DAY
            growth = cells.divide(month, account_country, attention, between / days)
            growth[case == LATE_ARRIVAL] = late_burst[case == LATE_ARRIVAL]
            fallen = np.flatnonzero(case == COUNTER_RESET)
            growth[fallen] = -(downloads.all_time[month][fallen] * rng.uniform(0.05, 0.5, len(fallen))).astype(np.int64)
            downloads.case[month][fallen[growth[fallen] == 0]] = MEASURED
            frozen = found.of("thirty_days_frozen") if month >= _FROZEN_FROM else np.zeros(0, np.int64)
            _thirty_days(downloads, repositories, frozen, growth, disagreement, month)
        downloads.all_time[month + 1] = downloads.all_time[month] + growth
    return downloads


def _countries(accounts: Accounts) -> tuple[list[str], npt.NDArray[np.int16]]:
    """Country of each account in each month, by the registry's validity at the month's close."""
    by_month = [accounts.attribution(last_day_of(month))["country"] for month in range(len(MONTHS))]
    countries = sorted({country for month in by_month for country in month.unique()})
    return countries, np.array([month.cast(pl.Enum(countries)).to_physical() for month in by_month], np.int16)


def _cases(repositories: Repositories, found: Pathologies, observed: Integers, month: int) -> npt.NDArray[np.int8]:
    opened = repositories.visible(int(observed[month]))
    closed = repositories.visible(int(observed[month + 1]))
    arrived = closed & ~opened
    case = np.zeros(repositories.size, np.int8)
    case[opened & closed] = MEASURED
    case[arrived & (repositories.created > observed[month])] = CREATED
    case[arrived & (repositories.created <= observed[month])] = LATE_ARRIVAL
    case[opened & ~closed] = DISAPPEARED
    if not is_rolling(month):
        fallen = found.by_month.get("counter_reset", {}).get(month, np.zeros(0, np.int64))
        case[fallen[case[fallen] == MEASURED]] = COUNTER_RESET
        case[found.mask(repositories.size, "counter_always_null") & closed] = NO_COUNTER
    return case


def _exposure(repositories: Repositories, found: Pathologies, observed: Integers, month: int) -> Floats:
    """Attention by age, and the part of the month for which a repository has been there, less what faults take."""
    age = np.maximum(observed[month + 1] - repositories.created, 0) / DAY
    exposure = np.asarray((1 + age / 120) ** -0.6 * np.minimum(age / 30, 1))
    for first, members in found.by_month.get("level_broken", {}).items():
        if month >= first:
            exposure[members] *= _LEVEL_LEFT
    for first, members in found.by_month.get("created_before_release", {}).items():
        if month < first:
            exposure[members] = 0.0
    return exposure


def _start(downloads: Downloads, repositories: Repositories, counts: Integers, rng: np.random.Generator) -> None:
    """The counters at the first observation, from the first month's pace."""
    there = repositories.created <= downloads.observed[0]
    age = np.maximum(downloads.observed[0] - repositories.created, 0) / (30 * DAY)
    downloads.thirty_days[0] = np.where(there, (counts * rng.uniform(0.8, 1.0, len(counts))).astype(np.int64), 0)
    downloads.all_time[0] = np.where(there, (counts * np.minimum(age, 24) * 0.7).astype(np.int64), 0)


def _thirty_days(
    downloads: Downloads,
    repositories: Repositories,
    frozen: Integers,
    growth: Integers,
    disagreement: Floats,
    month: int,
) -> None:
    """The 30-day counter at a month's close; it stays as it was where it is frozen."""
    since = np.maximum(downloads.observed[month], repositories.created)
    window = np.clip((downloads.observed[month + 1] - since) / DAY, 1, None)
    counts = np.rint(np.maximum(growth, 0) * np.minimum(30 / window, 1) * (1 - disagreement)).astype(np.int64)
    standing = frozen[downloads.case[month][frozen] == MEASURED]
    counts[standing] = downloads.thirty_days[month][standing]
    downloads.thirty_days[month + 1] = counts


class _Cells:
    """Divides a month's downloads among cells of country x new or old x derivative or not, then inside each cell."""

    def __init__(self, accounts: Accounts, repositories: Repositories, countries: list[str], scale: float) -> None:
        self.repositories = repositories
        self.countries = countries
        self.new_shares = targets.new_country_shares(countries)
        self.old_shares = targets.old_country_shares(countries)
        self.totals = targets.monthly_downloads(scale)
        self.derives = repositories.relation != NO_RELATION
        self.group = account_group(accounts, repositories.account).astype(np.int64)
        real = accounts.real.select("old_weight", "new_weight").to_numpy().astype(float)
        invented = np.array([[_PERSONS_WEIGHT, _PERSONS_WEIGHT], [1.0, 1.0]])
        self.weights = np.repeat(np.concatenate([real, invented]), 2, axis=1).ravel()
        self.leanings = targets.derivative_leanings(countries)
        self.fixed = np.array([repositories.fixed[name] for name in targets.PLANTED_BY_NAME], np.int64)
        self.fixed_shares = np.array([targets.by_month(name) for name in targets.PLANTED_BY_NAME])

    def divide(self, month: int, country: npt.NDArray[np.int16], attention: Floats, unit: float) -> Integers:
        """Counts by repository, zero without attention; `unit` turns a month's downloads into counts."""
        new = new_at_close(self.repositories.created, month, targets.NEW_MODEL_DAYS)
        fixed_counts = np.rint(self.fixed_shares[:, month] * self.totals[month] * unit)
        kind = new.astype(np.int64) * 2 + self.derives
        cell = country.astype(np.int64) * 4 + kind
        attention[self.fixed] = 0.0
        in_group = self.group * 4 + kind
        by_group = np.asarray(np.bincount(in_group, attention, minlength=len(self.weights)), np.float64)
        attention *= _ratio(self.weights, by_group)[in_group]
        quotas = self._quotas(month, unit, country[self.fixed], fixed_counts)
        filled = np.asarray(np.bincount(cell, attention, minlength=len(quotas)), np.float64)
        quotas = np.rint(self._without_empty(quotas, filled))
        counts = apportion(attention * _ratio(quotas, filled)[cell], cell)
        counts[self.fixed] = fixed_counts.astype(np.int64)
        return counts

    def _quotas(self, month: int, unit: float, fixed_country: npt.NDArray[np.int16], fixed: Floats) -> Floats:
        """Counts of each cell: country x (old, new) x (root, derivative), flat."""
        total = self.totals[month] * unit
        new_share = targets.by_month("new_percent")[month]
        both = np.stack([self.old_shares * (1 - new_share), self.new_shares[month] * new_share], axis=1) * total
        np.subtract.at(both[:, 0], fixed_country, fixed)
        both = np.maximum(both, 0)
        derived = both * _scaled_to(self.leanings, both, targets.by_month("derivative_percent")[month] * total)
        return np.stack([both - derived, derived], axis=2).ravel()

    def _without_empty(self, quotas: Floats, filled: Floats) -> Floats:
        """Moves what an empty cell would get to its sibling (root or derivative), else to the unaffiliated."""
        quotas = quotas.copy()
        cells = np.arange(len(quotas))
        for other in (cells ^ 1, self.countries.index(UNAFFILIATED) * 4 + (cells & 2)):
            empty = np.flatnonzero((filled <= 0) & (quotas > 0))
            np.add.at(quotas, other[empty], quotas[empty])
            quotas[empty[other[empty] != empty]] = 0
        return quotas


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)


def _scaled_to(leanings: Floats, amounts: Floats, wanted: float) -> Floats:
    """Leanings times the one factor (each at most 0.95) by which the amounts' derived parts sum to what is wanted."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        if float((amounts * np.minimum(leanings * middle, 0.95)).sum()) < wanted:
            low = middle
        else:
            high = middle
    return np.asarray(np.minimum(leanings * high, 0.95))


def apportion(expected: Floats, cell: Integers) -> Integers:
    """Whole numbers near the expected ones that sum, in each cell, to the cell's whole total."""
    order = np.argsort(cell.astype(np.int16), kind="stable")
    running = np.rint(np.cumsum(expected[order]))
    counts = np.empty(len(expected), np.int64)
    counts[order] = np.diff(running, prepend=0).astype(np.int64)
    return counts
