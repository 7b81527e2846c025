"""Whether a namespace is a person's account or an organisation's: asked of the Hub once, then remembered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from filelock import FileLock

from pipeline import settings
from pipeline.atomic_file import replacing

ANSWER_SCHEMA = pl.Schema({"namespace": pl.String, "account_type": pl.String, "checked_on": pl.Date})
ASKED_BETWEEN_SAVES = 50
"""As many answers are lost at most when the process is killed; after a failure none are."""


@dataclass(frozen=True)
class AccountDirectory:
    """Answers of one Hub, kept in `file` across months and runs."""

    file: Path

    def known(self) -> pl.DataFrame:
        """All answers so far: namespace, account_type, checked_on."""
        return pl.read_parquet(self.file) if self.file.exists() else pl.DataFrame(schema=ANSWER_SCHEMA)

    def ask(
        self, namespaces: Sequence[str], account_type: Callable[[str], str], budget: int = settings.ACCOUNT_REQUESTS
    ) -> pl.DataFrame:
        """The answers for `namespaces`, in that order asking the Hub for those not yet known.

        `account_type` asks about one. After `budget` requests (one for an organisation, two for a person or where
        neither is known) no more are made; what was not asked is left out of what is returned. Answers are kept as they
        come, also where the Hub refuses the next: a later call goes on from there.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        answers: list[tuple[str, str, date]] = []
        with FileLock(f"{self.file}.lock"):
            known = set(self.known()["namespace"])
            try:
                for namespace in (one for one in dict.fromkeys(namespaces) if one not in known):
                    if budget <= 0:
                        break
                    found = account_type(namespace)
                    answers.append((namespace, found, datetime.now(UTC).date()))
                    budget -= 1 if found == "organization" else 2
                    if len(answers) == ASKED_BETWEEN_SAVES:
                        self._keep(answers)
            finally:
                self._keep(answers)
        return self.remembered(namespaces)

    def _keep(self, answers: list[tuple[str, str, date]]) -> None:
        """Keeps the answers, which are then no longer waiting."""
        if answers:
            added = pl.DataFrame(answers, ANSWER_SCHEMA, orient="row")
            with replacing(self.file) as unfinished:
                pl.concat([self.known(), added]).write_parquet(unfinished)
            answers.clear()

    def remembered(self, namespaces: Sequence[str]) -> pl.DataFrame:
        """The answers for `namespaces` that are known already."""
        wanted = pl.DataFrame({"namespace": namespaces}, schema={"namespace": pl.String})
        return self.known().join(wanted, on="namespace", how="semi")


def most_downloaded_namespaces(snapshot: pl.LazyFrame, share: float = 0.99) -> list[str]:
    """The namespaces that together hold `share` of the recent downloads, most downloaded first; ties by name."""
    downloads = pl.col("downloads_30d")
    return (
        snapshot.filter(pl.col("namespace").is_not_null())
        .group_by("namespace")
        .agg(downloads.sum())
        .sort(downloads, "namespace", descending=[True, False])
        .filter((downloads.cum_sum() - downloads < share * downloads.sum()) & (downloads > 0))
        .collect()["namespace"]
        .to_list()
    )
