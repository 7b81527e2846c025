"""What can be seen of the world at a time: the Hub's public listing, and the archive's file of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_hub.downloads import Downloads
from synthetic_hub.edges import Identity
from synthetic_hub.identifiers import namespace_of
from synthetic_hub.incidents import unsteady
from synthetic_hub.pathologies import Pathologies
from synthetic_hub.population import Repositories
from synthetic_hub.settings import WorldSettings
from synthetic_hub.timeline import (
    ALL_TIME_SINCE,
    BASE_MODELS_SINCE,
    CARD_DATA_SINCE,
    DAY,
    END,
    HUB_WIDE,
    Booleans,
    Integers,
    PlannedRevision,
    RevisionPathology,
    at,
    busy_time,
    seconds,
)

ARCHIVE_COLUMNS = (
    "_id", "id", "author", "createdAt", "lastModified", "downloads", "downloadsAllTime", "likes", "trendingScore",
    "pipeline_tag", "library_name", "tags", "cardData", "config", "siblings", "safetensors", "gguf", "baseModels",
    "modelId",
)  # fmt: skip

PARTIAL_SHARE = 0.26
_ROLLBACK_KEEPS = 0.97
_FROZEN_AT = at(2025, 8, 19)


@dataclass(frozen=True)
class History:
    """All that is needed to say what the Hub shows at a time.

    `repositories`: one row per repository that ever exists, in order of creation. `counters`: the same rows, the
    counters at each observation as columns `all_time_NN` and `thirty_days_NN`. `observed`: the observations' times.
    """

    repositories: pl.DataFrame
    counters: pl.DataFrame
    observed: list[int]
    settings: WorldSettings

    def listing(self, when: datetime) -> pl.DataFrame:
        """Every public repository at a time, as the Hub tells it: the archive's newest columns and `gated`.

        Raises:
            ValueError: the world has no counters at that time.
        """
        now = seconds(when)
        after = self.settings.daily.days * DAY if self.settings.daily else 0
        if not self.observed[0] <= now <= self.observed[-1] + after:
            raise ValueError(f"the synthetic world spans 2024-08-01 to {END:%Y-%m-%d}, not {when:%Y-%m-%d}")
        there = ((self.repositories["visible_from"] <= now) & (self.repositories["deleted"] > now)).to_numpy()
        return self._with_counters(self.repositories.filter(there), there, now).with_columns(_names_at(now))

    def archived(self, revision: PlannedRevision) -> pl.DataFrame:
        """The content of one revision of the archive's file, in the schema of its time."""
        columns = [
            name for name in ARCHIVE_COLUMNS if revision.observed_at >= _COLUMN_SINCE.get(name, revision.observed_at)
        ]
        rows = self.listing(revision.observed_at).select(columns)
        if revision.pathology == "partial":
            return rows.head(int(rows.height * PARTIAL_SHARE))
        return rows

    def _with_counters(self, repositories: pl.DataFrame, there: Booleans, now: int) -> pl.DataFrame:
        all_time, thirty_days = self._counters(there, seconds(_FROZEN_AT) if self._is("frozen", now) else now)
        for incident in self.settings.daily.incidents if self.settings.daily else ():
            counted = incident.counted_until(now)
            if counted != now:
                hit = incident.happens_to(self.repositories["created"].to_numpy(), self.settings.seed)[there]
                shown = self._counters(there, counted)
                all_time, thirty_days = np.where(hit, shown, (all_time, thirty_days))
        if self._is("rollback", now):
            fallen = repositories["rolled_back"].to_numpy()
            all_time = np.where(fallen, (all_time * _ROLLBACK_KEEPS).astype(np.int64), all_time)
        unknown = repositories["no_counter"].to_numpy()
        if self._is("zeroed_counters", now):
            number = np.arange(len(all_time)) % 10
            unknown = unknown | (number < 4)
            all_time = np.where(number >= 7, all_time, 0)
        age = np.maximum(now - repositories["created"].to_numpy(), 0) / DAY
        likes = (repositories["likes"].to_numpy() * np.minimum(age / 200, 1)).astype(np.int64)
        modified = np.minimum(repositories["modified"].to_numpy(), now)
        return repositories.with_columns(
            pl.Series("downloads", thirty_days),
            pl.when(pl.Series(~unknown)).then(pl.Series(all_time)).alias("downloadsAllTime"),
            pl.Series("likes", likes),
            pl.Series("trendingScore", np.rint(np.clip(1 - age / 45, 0, 1) * np.sqrt(likes))),
            pl.from_epoch(pl.Series("lastModified", modified), time_unit="s").cast(pl.Datetime("us")),
        )

    def _is(self, pathology: RevisionPathology, now: int) -> bool:
        start, end = HUB_WIDE[pathology]
        return self.settings.pathologies and seconds(start) <= now < seconds(end)

    def _counters(self, there: Booleans, now: int) -> tuple[Integers, Integers]:
        """Both counters of the repositories that are there, some way between two observations or beyond the last."""
        last = min(max(int(np.searchsorted(self.observed, now, side="right")) - 1, 0), len(self.observed) - 2)
        began = np.maximum(self.observed[last], self.repositories["created"].to_numpy()[there])
        elapsed = self._pace(np.maximum(now, began)) - self._pace(began)
        span = np.maximum(self._pace(np.array(self.observed[last + 1])) - self._pace(began), 1)
        if self.settings.daily:
            elapsed = unsteady(elapsed, span, there, self.settings.daily.noise, self.settings.seed)
        all_time, thirty_days = (
            _between(before.filter(there), after.filter(there), elapsed, span)
            for before, after in (
                (self.counters[f"{name}_{last:02}"], self.counters[f"{name}_{last + 1:02}"])
                for name in ("all_time", "thirty_days")
            )
        )
        return all_time, np.maximum(thirty_days, 0)

    def _pace(self, times: Integers) -> Integers:
        """The time in which counters grow evenly: it has a weekday effect in a world with pathologies."""
        return busy_time(times) if self.settings.pathologies else times


_COLUMN_SINCE = {
    "cardData": CARD_DATA_SINCE,
    "trendingScore": CARD_DATA_SINCE,
    "downloadsAllTime": ALL_TIME_SINCE,
    "baseModels": BASE_MODELS_SINCE,
}


def planted_columns(
    repositories: Repositories, static: pl.DataFrame, identity: Identity, found: Pathologies
) -> pl.DataFrame:
    """Everything of each repository that a `History` needs besides counters."""
    size = repositories.size
    return static.with_columns(
        identity.model_id.alias("model_id"),
        identity.former_id.alias("former_id"),
        pl.Series("renamed_at", identity.renamed_at),
        pl.Series("created", repositories.created),
        pl.Series("visible_from", np.maximum(repositories.created, repositories.public)),
        pl.Series("deleted", repositories.deleted),
        pl.Series("modified", repositories.created + (np.arange(size) * 7919 % 97) * DAY),
        pl.Series("rolled_back", found.mask(size, "rolled_back_in_may_2025")),
        pl.Series("no_counter", found.mask(size, "counter_always_null")),
    )


def counter_columns(downloads: Downloads) -> pl.DataFrame:
    """The counters at each observation, as a `History` has them."""
    return pl.DataFrame(
        {f"all_time_{number:02}": row for number, row in enumerate(downloads.all_time)}
        | {f"thirty_days_{number:02}": row for number, row in enumerate(downloads.thirty_days)}
    )


def write_revision(rows: pl.DataFrame, path: Path) -> None:
    """One `models.parquet`; the bytes depend on nothing but the rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path, compression="snappy", statistics=False)


def _names_at(now: int) -> list[pl.Expr]:
    name = pl.when(pl.col("renamed_at") <= now).then("model_id").otherwise(pl.coalesce("former_id", "model_id"))
    return [name.alias("id"), name.alias("modelId"), namespace_of(name).alias("author")]


def _between(before: pl.Series, after: pl.Series, elapsed: Integers, span: Integers) -> Integers:
    """A counter some way between two observations, straight and rounded down."""
    start = before.to_numpy()
    return np.asarray(start + (after.to_numpy() - start) * elapsed // span)
