"""The counters at a month's boundary, read from several observations around it.

The method is `docs/methodology.md`, section "The counter at a boundary": days on which counters stood still, ran slow
or fell are found in the observations, and each model's counter at the boundary lies between its last good observation
before it and its first good one after it, on a clock by which downloads are even.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

import polars as pl

from assets.expressions import first_case
from assets.listings.hub_snapshots import COUNTERS_COMPLETE_SINCE
from pipeline.schema.declaration import DECIMAL, TIMESTAMP
from pipeline.sources.snapshots import CounterObservation

BOUNDARIES = ("measured", "interpolated", "bridged_freeze", "bridged_rollback", "nearest")
"""How a counter at a boundary is known, the best first."""
COUNTED = ("counter", "counted_at", "boundary")
READ_FROM_SEVERAL = BOUNDARIES[1:4]
STATES = ("moving", "frozen", "rolled_back", "slowed", "unknown")
"""What counters did between two observations; unknown where too few models tell."""
ALL_COHORTS = "all"

BUSY_DOWNLOADS_A_DAY = 2_000
"""A counter that usually grows by as much does not stand still by chance."""
FEWEST_BUSY_MODELS = 30
"""Of so many, a quarter does not stand still by chance even on a day on which 3 % do, as on one in a hundred."""
STRUCK_SHARE = 0.25
"""From this share of busy models on, it is no accident that they stand still or fall: of 474 days 412 had less than
1 %, 27 more than this, and 9 between 5 % and this (stall audit of Model Pulse)."""
CAUGHT_UP_SHARE = 0.5
"""Counters have caught up once they have grown by this part of what they owe, beyond what is usual."""
SLOW, REPAID = 0.7, 1.2
"""Counters ran slow where they grew by at most the one part of what is usual, and right after by at least the other."""
TICKS = 10**9
PART = 10**6
FASTEST = 10**12
SAME = 1e-6
DAY = timedelta(days=1)
A_SATURDAY = datetime(2000, 1, 1, tzinfo=UTC)
FALSE = pl.lit(value=False)


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
    clock, struck = _course(busy, days, times)
    slowed = [times[one.start] for one in struck if one.state == "slowed"]
    is_slowed = pl.col("observed_from").is_in(slowed) & (pl.col("cohort") == ALL_COHORTS)
    read = _Reading(boundary, times, clock, struck).of(panel.lazy())
    return BoundaryCounters(
        pl.concat([snapshot, read], how="horizontal"),
        days.with_columns(state=pl.when(is_slowed).then(pl.lit("slowed")).otherwise("state")),
    )


def _at(place: int) -> str:
    return f"at_{place}"


def _growth(start: int, end: int) -> pl.Expr:
    return pl.col(_at(end)) - pl.col(_at(start))


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
    """The models that usually have many downloads, with their usual `rate` a day; none by fewer than 3 observations."""
    if len(times) < 3:
        return pl.DataFrame()
    counters = [_at(place) for place in range(len(times))]
    rates = [_growth(n, n + 1) / ((end - start) / DAY) for n, (start, end) in enumerate(pairwise(times))]
    return (
        panel.filter(pl.max_horizontal(counters) - pl.min_horizontal(counters) >= BUSY_DOWNLOADS_A_DAY)
        .with_columns(
            rate=pl.concat_list(rates).list.median(),
            cohort=pl.col("created_at").dt.year().cast(pl.String).fill_null("unknown"),
        )
        .filter(pl.col("rate") >= BUSY_DOWNLOADS_A_DAY)
    )


def _days(busy: pl.DataFrame, times: Sequence[datetime]) -> pl.DataFrame:
    """What busy models' counters did on each stretch, by year of creation and in all.

    Counters as a whole are struck where those of any cohort are.
    """
    names = ("observed_from", "observed_until", "cohort", "models", "models_frozen", "models_fallen")
    schema = pl.Schema(zip(names, [TIMESTAMP, TIMESTAMP, pl.String(), *[pl.Int64()] * 3], strict=True))
    found = [pl.DataFrame(schema=schema)]
    for n, (start, end) in enumerate(pairwise(times)) if busy.height else ():
        growth = _growth(n, n + 1)
        for cohort in (pl.col("cohort"), pl.lit(ALL_COHORTS)):
            told = busy.group_by(cohort.alias("cohort")).agg(
                observed_from=pl.lit(start),
                observed_until=pl.lit(end),
                models=growth.count(),
                models_frozen=(growth == 0).sum(),
                models_fallen=(growth < 0).sum(),
            )
            found.append(told.select(*schema).cast(schema))
    is_struck = pl.col("state").is_in(["frozen", "rolled_back"])
    of_a_cohort = pl.col("state").filter(is_struck).first().over("observed_from")
    is_only_in_cohorts = (pl.col("cohort") == ALL_COHORTS) & ~is_struck
    return (
        pl.concat(found)
        .sort("observed_from", "cohort")
        .with_columns(
            state=first_case(
                ("unknown", pl.col("models") < FEWEST_BUSY_MODELS),
                ("rolled_back", pl.col("models_fallen") >= STRUCK_SHARE * pl.col("models")),
                ("frozen", pl.col("models_frozen") >= STRUCK_SHARE * pl.col("models")),
                otherwise="moving",
            )
        )
        .with_columns(state=pl.when(is_only_in_cohorts).then(pl.coalesce(of_a_cohort, "state")).otherwise("state"))
    )


@dataclass(frozen=True)
class _Clock:
    """A clock by which downloads are even.

    `known` are its readings at sound observations. Between them and beyond it runs at the `paces` of a working day and
    of a day of a weekend.
    """

    known: dict[datetime, int]
    paces: tuple[float, float]

    def at(self, moment: datetime) -> int:
        """Its reading at a moment."""
        times = list(self.known)
        place = max(bisect_right(times, moment), 1)
        before, after = times[place - 1], times[min(place, len(times) - 1)]
        whole = self._run(before, after)
        growth = (self.known[after] - self.known[before]) / whole if whole else 1.0
        return self.known[before] + round(self._run(before, moment) * growth)

    def _run(self, start: datetime, end: datetime) -> float:
        return sum(pace * days for pace, days in zip(self.paces, _days_between(start, end), strict=True))


def _days_between(start: datetime, end: datetime) -> tuple[float, float]:
    """Working days, and days of weekends, from one time to another."""
    weeks = [divmod((moment - A_SATURDAY) / DAY, 7) for moment in (start, end)]
    before, until = (whole * 2 + min(rest, 2) for whole, rest in weeks)
    return (end - start) / DAY - (until - before), until - before


def _clock(courses: pl.DataFrame, times: Sequence[datetime], spoilt: set[int]) -> _Clock:
    """The clock of models whose counters took these courses: the median part of their growth until each observation.

    Over spoilt observations it runs at the paces of working days and weekends that explain the others best. It counts
    seconds where too few models tell.
    """
    kept = [place for place in range(len(times)) if place not in spoilt]
    readings = [round((time - times[0]).total_seconds()) for time in times]
    if courses.height >= FEWEST_BUSY_MODELS:
        found = [int(part) for part in courses.median().row(0)]
        readings = found if all(found[start] < found[end] for start, end in pairwise(kept)) else readings
    pairs = pairwise(kept)
    runs = [(*_days_between(times[start], times[end]), readings[end] - readings[start]) for start, end in pairs]
    return _Clock({times[place]: readings[place] for place in kept}, _paces(runs))


def _paces(runs: Sequence[tuple[float, float, int]]) -> tuple[float, float]:
    """The pace of a working day and of a day of a weekend that explain runs of so many of them best (least squares).

    The same for both where the runs do not tell them apart.
    """
    ww, we, ee = (sum(run[a] * run[b] for run in runs) for a, b in ((0, 0), (0, 1), (1, 1)))
    wg, eg = (sum(run[a] * run[2] for run in runs) for a in (0, 1))
    of_working_days, of_weekends, apart = ee * wg - we * eg, ww * eg - we * wg, ww * ee - we * we
    if apart > SAME * ww * ee and of_working_days > 0 and of_weekends > 0:
        return of_working_days / apart, of_weekends / apart
    days = sum(working_days + weekend for working_days, weekend, _ in runs)
    pace = sum(grown for _, _, grown in runs) / days if runs else 1.0
    return pace, pace


@dataclass(frozen=True)
class _Struck:
    """A stretch on which counters stood still, fell or ran slow; it may spoil observations up to the place `until`.

    Where they stood still or ran slow, counters are late by `lag` until they have caught up.
    """

    start: int
    state: str
    until: int
    lag: timedelta = timedelta(0)

    def hit(self) -> pl.Expr:
        """The models to which it happened."""
        growth = _growth(self.start, self.start + 1)
        happened = {"frozen": growth == 0, "rolled_back": growth < 0}.get(self.state, growth.is_not_null())
        return happened.fill_null(value=False)

    def passed_if_on_time(self, place: int, clock: _Clock, times: Sequence[datetime]) -> float:
        """What the clock has moved on until an observation, in a counter that is no more late."""
        start, on_time, late = (clock.at(time) for time in (times[self.start], times[place], times[place] - self.lag))
        return late + CAUGHT_UP_SHARE * (on_time - late) - start


def _course(busy: pl.DataFrame, days: pl.DataFrame, times: Sequence[datetime]) -> tuple[_Clock, list[_Struck]]:
    """The clock, and the stretches after which counters do not tell what was downloaded until then.

    Where nearly all models are struck, two observations after each such stretch tell nothing of the clock: by the third
    counters have caught up.
    """
    last = len(times) - 1
    states = days.filter(pl.col("state").is_in(["frozen", "rolled_back"]), cohort=ALL_COHORTS)
    struck = [
        _Struck(times.index(start), state, last, end - start if state == "frozen" else timedelta(0))
        for start, end, state in states.select("observed_from", "observed_until", "state").rows()
    ]
    if busy.is_empty():
        return _clock(busy, times, set()), struck
    spoilt: set[int] = set()
    steady = busy.filter(~pl.any_horizontal(FALSE, *(one.hit() for one in struck)))
    if steady.height < FEWEST_BUSY_MODELS:
        steady = busy
        spoilt = {place for one in struck for place in (one.start + 1, one.start + 2) if place <= last}
    parts = ((_growth(0, place) * TICKS // _growth(0, last)).alias(_at(place)) for place in range(last + 1))
    courses = steady.filter(_growth(0, last) > 0).select(parts).drop_nulls()
    seen = _clock(courses, times, spoilt)
    slowed = []
    # Fewer than four stretches do not tell a slow day from a weekend.
    for n, until in [(n, n + later) for n in range(last - 1) for later in (1, 2) if n + later < last and last >= 4]:
        within = set(range(n + 1, until + 1))
        if not spoilt & {n, *within, until + 1} and all(one.start != n for one in struck):
            even = _clock(courses, times, spoilt | within)
            stretches = [(times[n], times[n + 1]), (times[until], times[until + 1])]
            slow, repaid = (
                (seen.at(end) - seen.at(start)) / (even.at(end) - even.at(start)) for start, end in stretches
            )
            if slow <= SLOW and repaid >= REPAID:
                spoilt |= within
                slowed.append(_Struck(n, "slowed", until, (1 - slow) * (times[n + 1] - times[n])))
    clock = _clock(courses, times, spoilt)
    frozen = [_until_caught_up(one, busy, clock, times) if one.lag else one for one in struck]
    return clock, frozen + slowed


def _until_caught_up(struck: _Struck, busy: pl.DataFrame, clock: _Clock, times: Sequence[datetime]) -> _Struck:
    """A freeze until the last observation before the models that stood still have caught up."""
    a_day = median((clock.at(end) - clock.at(start)) / ((end - start) / DAY) for start, end in pairwise(times))
    hit = busy.filter(struck.hit())
    for place in range(struck.start + 2, len(times)):
        usual = pl.col("rate") / a_day * struck.passed_if_on_time(place, clock, times)
        if hit.select((_growth(struck.start, place) - usual).sum()).item() >= 0:
            return replace(struck, until=place - 1)
    return struck


@dataclass(frozen=True)
class _Reading:
    """How counters at the boundary follow from those at the times."""

    boundary: datetime
    times: Sequence[datetime]
    clock: _Clock
    struck: Sequence[_Struck]

    def of(self, panel: pl.LazyFrame) -> pl.LazyFrame:
        """`counter`, `counted_at` and `boundary` of each model of the panel."""
        places = range(len(self.times))
        before = [place for place in places if self.times[place] <= self.boundary]
        around = [*before[-1:], *places[len(before) : len(before) + 1]]
        by_distance = sorted(places, key=lambda place: abs(self.times[place] - self.boundary))
        is_there = bool(before) and self.times[before[-1]] == self.boundary
        is_between_two = len(around) > 1
        is_unborn = (pl.col("created_at") > self.boundary).fill_null(value=False) if is_between_two else FALSE
        good = [pl.when(self._is_good(place)).then(self._seen(place)) for place in by_distance]
        found = panel.with_columns(
            nearest=pl.coalesce(*good, *map(self._seen, by_distance)),
            is_measured=is_unborn | (self._is_good(before[-1]) if is_there else FALSE),
            froze=pl.any_horizontal(FALSE, *(self._late(place) > 0 for place in around)),
            fell=pl.any_horizontal(FALSE, *(self._has_fallen(place) for place in around)),
            between=pl.lit(None, DECIMAL),
        )
        if is_between_two:
            found = self._with_points(found, before[-1]).with_columns(between=_between(self.clock.at(self.boundary)))
        is_between = pl.col("between").is_not_null() & ~pl.col("is_measured")
        nearest = pl.when(is_unborn).then(0).otherwise(pl.col("nearest").struct.field("counter"))
        observed_at = pl.coalesce(pl.col("nearest").struct.field("time"), pl.lit(self.times[by_distance[0]]))
        how = first_case(
            ("measured", pl.col("is_measured")),
            ("nearest", ~is_between),
            ("bridged_rollback", pl.col("fell")),
            ("bridged_freeze", pl.col("froze")),
            otherwise="interpolated",
        )
        return found.select(
            counter=pl.when(is_between).then("between").otherwise(nearest.cast(DECIMAL)),
            counted_at=pl.when(pl.col("is_measured") | is_between).then(pl.lit(self.boundary)).otherwise(observed_at),
            boundary=pl.when(nearest.is_not_null()).then(how),
        )

    def _with_points(self, found: pl.LazyFrame, last_before: int) -> pl.LazyFrame:
        """The points on the clock between which a model's counter at the boundary lies, and the outermost ones.

        A model that was created after the last observation before the boundary had no downloads when it was created.
        """
        now, earlier = (self.clock.at(moment) for moment in (self.boundary, self.times[last_before]))
        points = [self._point(place) for place in range(len(self.times))]
        is_before = [self._reading(place) <= now for place in range(len(self.times))]
        before = [pl.when(passed).then(point) for passed, point in zip(is_before, points, strict=True)]
        after = [pl.when(~passed).then(point) for passed, point in zip(is_before, points, strict=True)]
        birth, start = pl.col("created_at"), self.times[last_before]
        part = (birth - start).dt.total_seconds() * (now - earlier)
        reading = earlier + part // max(round((self.boundary - start).total_seconds()), 1)
        is_born = birth.is_between(start, self.boundary, closed="right")
        at_birth = pl.when(is_born).then(pl.struct(counter=pl.lit(0, pl.Int64), clock=reading))
        return found.with_columns(
            before=pl.coalesce(*before[::-1], at_birth),
            after=pl.coalesce(after),
            earliest=pl.coalesce(points),
            latest=pl.coalesce(points[::-1]),
        )

    def _seen(self, place: int) -> pl.Expr:
        """A model's counter in an observation and the time of it; null where there is none."""
        counter = pl.col(_at(place))
        return pl.when(counter.is_not_null()).then(pl.struct(counter=counter, time=pl.lit(self.times[place])))

    def _point(self, place: int) -> pl.Expr:
        """A model's counter in an observation and what the clock reads for it; null where it has fallen."""
        counter = pl.col(_at(place))
        is_told = counter.is_not_null() & ~self._has_fallen(place)
        return pl.when(is_told).then(pl.struct(counter=counter, clock=self._reading(place)))

    def _reading(self, place: int) -> pl.Expr:
        return pl.lit(self.clock.at(self.times[place]), pl.Int64) - self._late(place)

    def _is_good(self, place: int) -> pl.Expr:
        return pl.col(_at(place)).is_not_null() & ~self._has_fallen(place) & (self._late(place) == 0)

    def _late(self, place: int) -> pl.Expr:
        """By how much a model's counter in an observation is late on the clock.

        By all that a stretch took, unless the model has caught up by itself, as far as its growth in all tells.
        """
        late, moment = pl.lit(0, pl.Int64), self.times[place]
        readings, last = [self.clock.at(time) for time in self.times], len(self.times) - 1
        for one in self.struck:
            if one.lag and one.start < place <= one.until:
                passed = self.clock.at(moment) - self.clock.at(moment - one.lag)
                is_late = one.hit()
                if one.state == "frozen":
                    usual = one.passed_if_on_time(place, self.clock, self.times)
                    ends = [end for end in (one.start, last) if end]
                    paces = [_growth(0, end) / (readings[end] - readings[0]) for end in ends]
                    is_on_time = _growth(one.start, place) >= usual * pl.max_horizontal(paces)
                    is_late &= ~is_on_time.fill_null(value=False)
                late += pl.when(is_late).then(passed).otherwise(0)
                moment -= one.lag
        return late

    def _has_fallen(self, place: int) -> pl.Expr:
        """Whether a model's counter in an observation is below what it was before it was rolled back."""
        fallen = (
            one.hit() & (_growth(one.start, place) < 0).fill_null(value=False)
            for one in self.struck
            if one.state == "rolled_back" and one.start < place
        )
        return pl.any_horizontal(FALSE, *fallen)


def _between(now: int) -> pl.Expr:
    """The counter when the clock reads `now`, between the points before and after; null where it fell for good.

    Growth is divided in proportion to the clock on both sides and to the paces at which the model's counter grew before
    and after; by the clock alone where these are not known.
    """
    growth = (_of("after", "counter") - _of("before", "counter")).cast(DECIMAL)
    pace_before, pace_after = _pace("earliest", "before"), _pace("after", "latest")
    is_paced = (pace_before + pace_after > 0).fill_null(value=False)
    even = pl.lit(1, DECIMAL)
    before = pl.when(is_paced).then(pace_before).otherwise(even) * (now - _of("before", "clock"))
    after = pl.when(is_paced).then(pace_after).otherwise(even) * (_of("after", "clock") - now)
    part = pl.when(before + after > 0).then(before * PART / (before + after)).otherwise(0)
    return pl.when(growth >= 0).then(_of("before", "counter").cast(DECIMAL) + growth * part / PART)


def _of(point: str, field: str) -> pl.Expr:
    return pl.col(point).struct.field(field)


def _pace(start: str, end: str) -> pl.Expr:
    """The growth from one point to another, by clock; null where they are one."""
    passed = _of(end, "clock") - _of(start, "clock")
    growth = (_of(end, "counter") - _of(start, "counter")).cast(DECIMAL)
    pace = pl.min_horizontal(growth * TICKS / pl.when(passed > 0).then(passed), pl.lit(FASTEST, DECIMAL))
    return pl.when(passed > 0).then(pace)
