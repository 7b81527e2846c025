"""The counters at a month's boundary, read from several observations around it.

The method is `docs/methodology.md`, section "The counter at a boundary": days on which counters stood still or fell are
found in the observations, and each model's counter at the boundary lies between its last good observation before it and
its first good one after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
FALSE = pl.lit(value=False)
POINT = pl.Struct({"counter": pl.Int64, "clock": pl.Int64, "time": TIMESTAMP})


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
            return FALSE
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
        ~pl.any_horizontal(FALSE, *(stretch.hit() for stretch in struck)),
        pl.all_horizontal(counter.is_not_null() for counter in counters),
        last > first,
    )
    ticks = unhit.select(((counter - first) * TICKS // (last - first)).median().round() for counter in counters)
    found = [int(tick) for tick in ticks.row(0)] if unhit.height >= FEWEST_BUSY_MODELS else seconds
    return found if all(before < after for before, after in pairwise(found)) else seconds


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
            before=self._first_good(before),
            after=self._first_good(after),
            earliest=self._first_good(before[::-1]),
            latest=self._first_good(after[::-1]),
            nearest=pl.coalesce(self._first_good(by_distance), *map(self._seen, by_distance)),
            is_measured=self._is_good(before[0]) if is_there else FALSE,
            froze=self._is_spoilt("frozen", before[:1] + after[:1]),
            fell=self._is_spoilt("rolled_back", before[:1] + after[:1]),
        )
        now = pl.lit(None, pl.Int64)
        if before and after:
            found = self._with_births(found, before[0], after[0])
            now = self._clock_at(pl.lit(self.boundary), before[0], after[0])
        growth = (_counter("after") - _counter("before")).cast(DECIMAL)
        is_between = (growth >= 0).fill_null(value=False) & ~pl.col("is_measured")
        between = _counter("before").cast(DECIMAL) + growth * _part_before(now) / PART
        bridged = pl.when("fell").then(pl.lit("bridged_rollback")).when("froze").then(pl.lit("bridged_freeze"))
        kind = pl.when(is_between).then(bridged.otherwise(pl.lit("interpolated"))).otherwise(pl.lit("nearest"))
        return found.select(
            pl.when(is_between).then(between).otherwise(_counter("nearest").cast(DECIMAL)).alias("counter"),
            pl.when(pl.col("is_measured") | is_between)
            .then(pl.lit(self.boundary))
            .otherwise(pl.coalesce(pl.col("nearest").struct.field("time"), pl.lit(self.times[by_distance[0]])))
            .alias("counted_at"),
            pl.when(_counter("nearest").is_not_null())
            .then(pl.when("is_measured").then(pl.lit("measured")).otherwise(kind))
            .alias("boundary"),
        )

    def _with_births(self, found: pl.LazyFrame, before: int, after: int) -> pl.LazyFrame:
        """Models created after the last observation before the boundary had no downloads when they were created."""
        birth, nothing = pl.col("created_at"), pl.lit(0, pl.Int64)
        is_born = pl.col("before").is_null() & birth.is_between(self.times[before], self.boundary, closed="right")
        at_birth = pl.struct(counter=nothing, clock=self._clock_at(birth, before, after), time=birth)
        is_unborn = (birth > self.boundary).fill_null(value=False)
        return found.with_columns(
            before=pl.when(is_born).then(at_birth).otherwise("before"),
            nearest=pl.when(is_unborn).then(pl.struct(counter=nothing, clock=nothing, time=birth)).otherwise("nearest"),
            is_measured=pl.col("is_measured") | is_unborn,
        )

    def _clock_at(self, moment: pl.Expr, before: int, after: int) -> pl.Expr:
        """The clock at a moment between two observations."""
        passed = (moment - pl.lit(self.times[before])).dt.total_seconds()
        whole = max(round((self.times[after] - self.times[before]).total_seconds()), 1)
        return self.clock[before] + passed * (self.clock[after] - self.clock[before]) // whole

    def _seen(self, place: int) -> pl.Expr:
        """A model's counter in an observation, with its place on the clock and its time; null where there is none."""
        clock, time = pl.lit(self.clock[place], pl.Int64), pl.lit(self.times[place])
        counter = pl.col(_at(place))
        return pl.when(counter.is_not_null()).then(pl.struct(counter=counter, clock=clock, time=time))

    def _first_good(self, places: Sequence[int]) -> pl.Expr:
        """The first of these observations that has a counter which nothing spoils."""
        good = [pl.when(self._is_good(place)).then(self._seen(place)) for place in places]
        return pl.coalesce(good) if good else pl.lit(None, POINT)

    def _is_good(self, place: int) -> pl.Expr:
        spoilt = pl.any_horizontal(FALSE, *(stretch.spoils(place) for stretch in self.struck))
        return pl.col(_at(place)).is_not_null() & ~spoilt

    def _is_spoilt(self, state: str, places: Sequence[int]) -> pl.Expr:
        struck = (stretch.spoils(place) for stretch in self.struck if stretch.state == state for place in places)
        return pl.any_horizontal(FALSE, *struck)


def _counter(point: str) -> pl.Expr:
    return pl.col(point).struct.field("counter")


def _clock_of(point: str) -> pl.Expr:
    return pl.col(point).struct.field("clock")


def _part_before(now: pl.Expr) -> pl.Expr:
    """The part, of `PART`, of the growth over a boundary that falls before it.

    In proportion to the time on both sides and to the paces at which the model's counter grew before and after; by time
    alone where these are not known.
    """
    pace_before, pace_after = _pace("earliest", "before"), _pace("after", "latest")
    is_paced = (pace_before + pace_after > 0).fill_null(value=False)
    even = pl.lit(1, DECIMAL)
    before = pl.when(is_paced).then(pace_before).otherwise(even) * (now - _clock_of("before"))
    after = pl.when(is_paced).then(pace_after).otherwise(even) * (_clock_of("after") - now)
    return pl.when(before + after > 0).then(before * PART / (before + after)).otherwise(0)


def _pace(start: str, end: str) -> pl.Expr:
    """The growth from one point to another, by clock; null where they are one."""
    passed = _clock_of(end) - _clock_of(start)
    growth = (_counter(end) - _counter(start)).cast(DECIMAL)
    pace = pl.min_horizontal(growth * TICKS / pl.when(passed > 0).then(passed), pl.lit(FASTEST, DECIMAL))
    return pl.when(passed > 0).then(pace)
