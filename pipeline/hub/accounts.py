"""Whether a namespace is a person's account or an organisation's: asked of the Hub once, then remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from filelock import FileLock

ANSWER_SCHEMA = pl.Schema({"namespace": pl.String, "account_type": pl.String, "checked_on": pl.Date})
ASKED_BETWEEN_SAVES = 200


@dataclass(frozen=True)
class AccountDirectory:
    """Answers of one Hub, kept in `file` across months and runs."""

    file: Path

    def known(self) -> pl.DataFrame:
        """All answers so far: namespace, account_type, checked_on."""
        return pl.read_parquet(self.file) if self.file.exists() else pl.DataFrame(schema=ANSWER_SCHEMA)

    def ask(self, namespaces: Sequence[str], account_type: Callable[[str], str], budget: int) -> pl.DataFrame:
        """The answers for `namespaces`, in that order asking the Hub for those not yet known.

        At most `budget` namespaces are asked about; the others are left out of what is returned.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.file}.lock"):
            known = set(self.known()["namespace"])
            unknown = [namespace for namespace in namespaces if namespace not in known][:budget]
            for start in range(0, len(unknown), ASKED_BETWEEN_SAVES):
                batch = unknown[start : start + ASKED_BETWEEN_SAVES]
                self._remember(batch, [account_type(namespace) for namespace in batch])
        return self.remembered(namespaces)

    def remembered(self, namespaces: Sequence[str]) -> pl.DataFrame:
        """The answers for `namespaces` that are known already."""
        wanted = pl.DataFrame({"namespace": namespaces}, schema={"namespace": pl.String})
        return self.known().join(wanted, on="namespace", how="semi")

    def _remember(self, namespaces: list[str], types: list[str]) -> None:
        today: date = datetime.now(UTC).date()
        answers = pl.DataFrame(
            {"namespace": namespaces, "account_type": types, "checked_on": [today] * len(types)}, schema=ANSWER_SCHEMA
        )
        temporary = self.file.with_suffix(".tmp")
        pl.concat([self.known(), answers]).write_parquet(temporary)
        temporary.replace(self.file)


def most_downloaded_namespaces(snapshot: pl.LazyFrame, share: float = 0.99) -> list[str]:
    """The namespaces that together hold `share` of the recent downloads, most downloaded first; ties by name."""
    by_namespace = (
        snapshot.filter(pl.col("namespace").is_not_null())
        .group_by("namespace")
        .agg(pl.col("downloads_30d").sum())
        .sort(pl.col("downloads_30d"), pl.col("namespace"), descending=[True, False])
    )
    downloads = pl.col("downloads_30d")
    before = downloads.cum_sum() - downloads
    return (
        by_namespace.filter((before < share * downloads.sum()) & (downloads > 0))
        .select("namespace")
        .collect()
        .get_column("namespace")
        .to_list()
    )
