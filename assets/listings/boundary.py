"""The counters at a month's boundary, read from several observations around it.

The method is `docs/methodology.md`, section "The counter at a boundary": days on which counters stood still or fell are
found in the observations, and each model's counter at the boundary lies between its last good observation before it and
its first good one after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from assets.listings.hub_snapshots import COUNTERS_COMPLETE_SINCE
from pipeline.schema.declaration import DECIMAL, TIMESTAMP
from pipeline.sources.snapshots import CounterObservation

BOUNDARIES = ("measured", "interpolated", "bridged_freeze", "bridged_rollback", "nearest")
"""How a counter at a boundary is known, the best first."""
COUNTED = ("counter", "counted_at", "boundary")
READ_FROM_SEVERAL = BOUNDARIES[1:4]
STATES = ("moving", "frozen", "rolled_back", "unknown")
"""What counters did between two observations; unknown where too few models tell."""
ALL_COHORTS = "all"

BUSY_DOWNLOADS_A_DAY = 2_000
"""A counter that usually grows by as much does not stand still by chance."""
FEWEST_BUSY_MODELS = 10
STRUCK_SHARE = 0.25
"""From this share of busy models on, it is no accident that they stand still or fall: of 474 days 412 had less than
1 %, 27 more than this, and 9 between 5 % and this (stall audit of Model Pulse)."""
REPAID_SHARE = 0.5
"""Counters have caught up once they have grown by this part of what they owe, beyond what is usual."""
TICKS = 10**9
PART = 10**6
FASTEST = 10**12
DAY = timedelta(days=1)
NOTHING = pl.lit(None, pl.Int64)
ZERO = pl.lit(0, pl.Int64)


@dataclass(frozen=True)
class BoundaryCounters:
    """What several observations say of a boundary.

    `counters` are the rows of the snapshot, with `counter`, `counted_at` and `boundary`. `days` says what counters did
    from one observation to the next, by cohort of creation.
    """

    counters: pl.LazyFrame
    days: pl.DataFrame


def counters_at(
    boundary: datetime, snapshot: pl.LazyFrame, further: Iterable[CounterObservation] = ()
) -> BoundaryCounters:
    """The counters at the boundary of the repositories in the snapshot that is nearest to it.

    `further` are other observations of them, in any order. Without any, the snapshot's own counters are taken.
    """
    listed = snapshot.select("hub_id", "created_at", "downloads_all_time", "observed_at").collect()
    nearest: datetime = listed["observed_at"].max() or boundary  # type: ignore[assignment]
    observed = {nearest: listed["downloads_all_time"]}
    for observation in further:
        if observation.observed_at not in observed:
            observed[observation.observed_at] = _aligned(observation, listed["hub_id"])
    times = sorted(observed)
    panel = listed.select("created_at", *(observed[time].alias(_at(place)) for place, time in enumerate(times)))
    busy = _busy(panel, times)
    days = _days(busy, times)
    struck = _struck(days, busy, times)
    reading = _Reading(boundary, times, struck, _clock(busy, times, struck))
    return BoundaryCounters(pl.concat([snapshot, reading.of(panel.lazy())], how="horizontal"), days)


def _at(place: int) -> str:
    return f"at_{place}"


def _growth(stretch: int) -> str:
    return f"growth_{stretch}"


def _aligned(observation: CounterObservation, hub_ids: pl.Series) -> pl.Series:
    """The counters that were observed of these repositories; null where there is none."""
    ids = hub_ids.to_frame("hub_id").lazy()
    known = observation.rows.select(pl.coalesce("hub_id", "model_id").alias("hub_id"), "downloads_all_time")
    joined = ids.join(known, on="hub_id", how="left", maintain_order="left").collect()
    if joined.height > len(hub_ids):
        joined = joined.group_by("hub_id", maintain_order=True).agg(pl.col("downloads_all_time").max())
    counters = joined["downloads_all_time"]
    return counters.replace(0, None) if observation.observed_at < COUNTERS_COMPLETE_SINCE else counters


def _busy(panel: pl.DataFrame, times: Sequence[datetime]) -> pl.DataFrame:
    """The models that usually have many downloads, with their growth on each stretch and their usual `rate` a day."""
    if len(times) < 3:
        return pl.DataFrame()
    counters = [_at(place) for place in range(len(times))]
    growth = {_growth(n): pl.col(after) - pl.col(before) for n, (before, after) in enumerate(pairwise(counters))}
    rates = [pl.col(_growth(n)) / ((end - start) / DAY) for n, (start, end) in enumerate(pairwise(times))]
    return (
        panel.filter(pl.max_horizontal(counters) - pl.min_horizontal(counters) >= BUSY_DOWNLOADS_A_DAY)
        .with_columns(**growth, cohort=pl.col("created_at").dt.year().cast(pl.String).fill_null("unknown"))
        .with_columns(pl.concat_list(rates).list.median().alias("rate"))
        .filter(pl.col("rate") >= BUSY_DOWNLOADS_A_DAY)
    )


def _days(busy: pl.DataFrame, times: Sequence[datetime]) -> pl.DataFrame:
    """What busy models' counters did on each stretch, by year of creation and in all.

    Counters as a whole are struck where those of any cohort are.
    """
    keys, counts = ("observed_from", "observed_until", "cohort"), ("models", "models_frozen", "models_fallen")
    types = [TIMESTAMP, TIMESTAMP, pl.String(), *[pl.Int64()] * len(counts)]
    found = [pl.DataFrame(schema=dict(zip((*keys, *counts), types, strict=True)))]
    for n, (start, end) in enumerate(pairwise(times)) if busy.height else ():
        growth = pl.col(_growth(n))
        told = busy.select(
            pl.lit(start).alias("observed_from"),
            pl.lit(end).alias("observed_until"),
            pl.col("cohort"),
            growth.is_not_null().alias("models"),
            (growth == 0).alias("models_frozen"),
            (growth < 0).alias("models_fallen"),
        )
        every = pl.concat([told, told.with_columns(cohort=pl.lit(ALL_COHORTS))])
        found.append(every.group_by(*keys).agg(pl.col(*counts).sum().cast(pl.Int64)))
    is_struck = pl.col("state").is_in(["frozen", "rolled_back"])
    of_a_cohort = pl.col("state").filter(is_struck).first().over("observed_from")
    return (
        pl.concat(found)
        .sort("observed_from", "cohort")
        .with_columns(
            pl.when(pl.col("models") < FEWEST_BUSY_MODELS)
            .then(pl.lit("unknown"))
            .when(pl.col("models_fallen") >= STRUCK_SHARE * pl.col("models"))
            .then(pl.lit("rolled_back"))
            .when(pl.col("models_frozen") >= STRUCK_SHARE * pl.col("models"))
            .then(pl.lit("frozen"))
            .otherwise(pl.lit("moving"))
            .alias("state")
        )
        .with_columns(
            pl.when((pl.col("cohort") == ALL_COHORTS) & ~is_struck)
            .then(pl.coalesce(of_a_cohort, "state"))
            .otherwise("state")
            .alias("state")
        )
    )


@dataclass(frozen=True)
class _Struck:
    """A stretch on which counters stood still or fell. Observations up to the place `until` may be spoilt by it."""

    start: int
    state: str
    until: int

    def hit(self) -> pl.Expr:
        """The models to which it happened."""
        before, after = pl.col(_at(self.start)), pl.col(_at(self.start + 1))
        return ((after == before) if self.state == "frozen" else (after < before)).fill_null(value=False)

    def spoils(self, place: int) -> pl.Expr:
        """Whether it spoils an observation of a model: it shows less than was downloaded until then."""
        if not self.start < place <= self.until:
            return pl.lit(value=False)
        if self.state == "frozen":
            return self.hit()
        return self.hit() & (pl.col(_at(place)) < pl.col(_at(self.start))).fill_null(value=False)


def _struck(days: pl.DataFrame, busy: pl.DataFrame, times: Sequence[datetime]) -> list[_Struck]:
    last = len(times) - 1
    found = []
    for started, state in days.filter(cohort=ALL_COHORTS).select("observed_from", "state").iter_rows():
        start = times.index(started)
        if state == "rolled_back":
            found.append(_Struck(start, state, last))
        elif state == "frozen":
            found.append(_Struck(start, state, _caught_up(busy, times, start)))
    return found


def _caught_up(busy: pl.DataFrame, times: Sequence[datetime], start: int) -> int:
    """The last observation before the models that stood still on a stretch have caught up."""
    hit = busy.filter(pl.col(_growth(start)) == 0)
    usual = float(hit["rate"].sum())
    owed = usual * ((times[start + 1] - times[start]) / DAY)
    repaid = 0.0
    for later in range(start + 1, len(times) - 1):
        repaid += float(hit[_growth(later)].sum()) - usual * ((times[later + 1] - times[later]) / DAY)
        if repaid >= REPAID_SHARE * owed:
            return later
    return len(times) - 1


def _clock(busy: pl.DataFrame, times: Sequence[datetime], struck: Sequence[_Struck]) -> list[int]:
    """The place of each observation on a clock by which downloads are even.

    The median, over busy models that nothing has struck, of the part of their growth until then: weekends have fewer
    downloads. Seconds, where too few models tell.
    """
    seconds = [round((time - times[0]).total_seconds()) for time in times]
    if busy.is_empty():
        return seconds
    first, last = pl.col(_at(0)), pl.col(_at(len(times) - 1))
    counters = [pl.col(_at(place)) for place in range(len(times))]
    unhit = busy.filter(
        ~pl.any_horizontal(pl.lit(value=False), *(stretch.hit() for stretch in struck)),
        pl.all_horizontal(counter.is_not_null() for counter in counters),
        last > first,
    )
    ticks = unhit.select(((counter - first) * TICKS // (last - first)).median().round() for counter in counters)
    found = [int(tick) for tick in ticks.row(0)] if unhit.height >= FEWEST_BUSY_MODELS else seconds
    return found if all(before < after for before, after in pairwise(found)) else seconds


def _part_before(now: pl.Expr) -> pl.Expr:
    """The part, of `PART`, of the growth over a boundary that falls before it.

    In proportion to the time on both sides and to the paces at which the model's counter grew before and after; by time
    alone where these are not known.
    """
    time_before, time_after = now - pl.col("clock_before"), pl.col("clock_after") - now
    paces = pl.col("pace_before") + pl.col("pace_after")
    is_paced = (paces > 0).fill_null(value=False)
    before, after = (
        pl.when(is_paced).then(pl.col(pace)).otherwise(pl.lit(1, DECIMAL)) * time
        for pace, time in (("pace_before", time_before), ("pace_after", time_after))
    )
    whole = before + after
    return pl.when(whole > 0).then(before * PART / pl.when(whole > 0).then(whole)).otherwise(0)


@dataclass(frozen=True)
class _Reading:
    """How counters at the boundary follow from those at the times, each of which has its place on the clock."""

    boundary: datetime
    times: Sequence[datetime]
    struck: Sequence[_Struck]
    clock: Sequence[int]

    def of(self, panel: pl.LazyFrame) -> pl.LazyFrame:
        """`counter`, `counted_at` and `boundary` of each model of the panel."""
        before = [place for place, time in enumerate(self.times) if time <= self.boundary][::-1]
        after = [place for place, time in enumerate(self.times) if time > self.boundary]
        by_distance = sorted(before + after, key=lambda place: abs(self.times[place] - self.boundary))
        is_there = bool(before) and self.times[before[0]] == self.boundary
        found = panel.with_columns(
            counter_before=self._first_good(before, self._counter),
            counter_after=self._first_good(after, self._counter),
            clock_before=self._first_good(before, self._on_the_clock),
            clock_after=self._first_good(after, self._on_the_clock),
            pace_before=self._pace(before),
            pace_after=self._pace(after),
            nearest=pl.coalesce(self._first_good(by_distance, self._counter), *map(self._counter, by_distance)),
            nearest_at=pl.coalesce(
                self._first_good(by_distance, self._time),
                *(pl.when(self._counter(place).is_not_null()).then(self._time(place)) for place in by_distance),
                self._time(by_distance[0]),
            ),
            is_measured=self._is_good(before[0]) if is_there else pl.lit(value=False),
            froze=self._is_spoilt("frozen", before[:1] + after[:1]),
            fell=self._is_spoilt("rolled_back", before[:1] + after[:1]),
        )
        if before and after:
            found = self._with_births(found, before[0], after[0])
            now = self._clock_at(pl.lit(self.boundary), before[0], after[0])
        else:
            now = pl.lit(None, pl.Int64)
        growth = (pl.col("counter_after") - pl.col("counter_before")).cast(DECIMAL)
        between = pl.col("counter_before").cast(DECIMAL) + growth * _part_before(now) / PART
        is_between = (growth >= 0).fill_null(value=False)
        kind = (
            pl.when("is_measured")
            .then(pl.lit("measured"))
            .when(~is_between)
            .then(pl.lit("nearest"))
            .when("fell")
            .then(pl.lit("bridged_rollback"))
            .when("froze")
            .then(pl.lit("bridged_freeze"))
            .otherwise(pl.lit("interpolated"))
        )
        return found.select(
            pl.when("is_measured")
            .then(pl.col("nearest").cast(DECIMAL))
            .when(is_between)
            .then(between)
            .otherwise(pl.col("nearest").cast(DECIMAL))
            .alias("counter"),
            pl.when(pl.col("is_measured") | is_between)
            .then(pl.lit(self.boundary))
            .otherwise("nearest_at")
            .alias("counted_at"),
            pl.when(pl.col("nearest").is_not_null()).then(kind).alias("boundary"),
        )

    def _with_births(self, found: pl.LazyFrame, before: int, after: int) -> pl.LazyFrame:
        """Models created after the last observation before the boundary had no downloads when they were created."""
        born = pl.col("counter_before").is_null() & (pl.col("created_at") > self.times[before])
        is_born = born & (pl.col("created_at") <= self.boundary)
        at_birth = self._clock_at(pl.col("created_at"), before, after)
        unborn = (pl.col("created_at") > self.boundary).fill_null(value=False)
        return found.with_columns(
            counter_before=pl.when(is_born).then(ZERO).otherwise("counter_before"),
            clock_before=pl.when(is_born).then(at_birth).otherwise("clock_before"),
            nearest=pl.when(unborn).then(ZERO).otherwise("nearest"),
            is_measured=pl.col("is_measured") | unborn,
        )

    def _pace(self, places: Sequence[int]) -> pl.Expr:
        """The growth between the good observations nearest to the boundary and farthest from it, by clock."""
        near, far = (
            (self._first_good(order, self._counter), self._first_good(order, self._on_the_clock))
            for order in (places, places[::-1])
        )
        growth, passed = (near[0] - far[0]).abs(), (near[1] - far[1]).abs()
        pace = growth.cast(DECIMAL) * TICKS / pl.when(passed > 0).then(passed)
        return pl.min_horizontal(pace, pl.lit(FASTEST, DECIMAL))

    def _clock_at(self, moment: pl.Expr, before: int, after: int) -> pl.Expr:
        """The clock at a moment between two observations."""
        passed = (moment - pl.lit(self.times[before])).dt.total_seconds()
        whole = max(round((self.times[after] - self.times[before]).total_seconds()), 1)
        return self.clock[before] + passed * (self.clock[after] - self.clock[before]) // whole

    def _first_good(self, places: Sequence[int], value: Callable[[int], pl.Expr]) -> pl.Expr:
        """The value of the first of these observations that nothing spoils."""
        return pl.coalesce(pl.when(self._is_good(place)).then(value(place)) for place in places) if places else NOTHING

    def _is_good(self, place: int) -> pl.Expr:
        spoilt = (stretch.spoils(place) for stretch in self.struck)
        return self._counter(place).is_not_null() & ~pl.any_horizontal(pl.lit(value=False), *spoilt)

    def _is_spoilt(self, state: str, places: Sequence[int]) -> pl.Expr:
        struck = (stretch.spoils(place) for stretch in self.struck if stretch.state == state for place in places)
        return pl.any_horizontal(pl.lit(value=False), *struck)

    def _counter(self, place: int) -> pl.Expr:
        return pl.col(_at(place))

    def _on_the_clock(self, place: int) -> pl.Expr:
        return pl.lit(self.clock[place], pl.Int64)

    def _time(self, place: int) -> pl.Expr:
        return pl.lit(self.times[place])
