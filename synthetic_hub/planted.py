"""All that was planted in a world, as its truth is computed from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from synthetic_hub import targets
from synthetic_hub.accounts import Accounts
from synthetic_hub.downloads import Downloads
from synthetic_hub.edges import Identity
from synthetic_hub.identifiers import namespace_of
from synthetic_hub.pathologies import Pathologies
from synthetic_hub.population import Repositories, new_at_close
from synthetic_hub.settings import WorldSettings
from synthetic_hub.timeline import PlannedRevision, last_day_of

EXACT = pl.Decimal(38, 18)


def exact_sum(*columns: str) -> pl.Expr:
    """Sums that do not depend on the order of the rows."""
    return pl.col(*columns).cast(EXACT).sum().cast(pl.Float64)


@dataclass(frozen=True)
class Planted:
    """What the truth needs of a world. Frames have one row per repository or, `stated`, per statement of a parent."""

    accounts: Accounts
    repositories: Repositories
    identity: Identity
    static: pl.DataFrame
    attributes: pl.DataFrame
    stated: pl.DataFrame
    downloads: Downloads
    found: Pathologies
    observations: tuple[PlannedRevision, ...]
    revisions: tuple[PlannedRevision, ...]
    commits: dict[datetime, str]
    settings: WorldSettings

    @cached_property
    def is_language(self) -> pl.Series:
        """Whether each repository is in the population `language_models`."""
        tasks = targets.table("tasks").filter("is_language")["task"]
        return self.static["pipeline_tag"].is_in(tasks.implode()).fill_null(value=False)

    def accounts_on(self, month: int) -> pl.DataFrame:
        """Who stands behind each account at a month's close."""
        return self.accounts.attribution(last_day_of(month))

    def counted(self, month: int) -> pl.DataFrame:
        """Downloads of a month by repository, a column for each population."""
        repositories = self.repositories
        flagged = repositories.account == repositories.account[repositories.fixed[targets.TEST_TRAFFIC]]
        if targets.by_month(targets.BOT_BURST)[month] * 100 >= targets.BURST_PERCENT:
            flagged[repositories.fixed[targets.BOT_BURST]] = True
        populations = {
            "all": np.ones(repositories.size, bool),
            "new": new_at_close(repositories.created, month, targets.NEW_MODEL_DAYS),
            "language_models": self.is_language.to_numpy(),
        }
        populations |= {f"{name}_unflagged": included & ~flagged for name, included in populations.items()}
        measured = self.downloads.measured(month)
        return pl.DataFrame({name: np.where(included, measured, 0.0) for name, included in populations.items()})

    @cached_property
    def origins(self) -> pl.DataFrame:
        """Grain: derivative x root: `child, root, weight, root_model_id, root_account, root_namespace, relation`.

        `child` and `root` are numbers of repositories; roots that nobody lists have the numbers after. `relation` is
        the child's, as it is first stated.
        """
        size = self.repositories.size
        said = self.stated.filter("origin").unique(["child", "parent_id"], maintain_order=True)
        unlisted = said.filter(pl.col("parent").is_null()).unique("parent_id", maintain_order=True)
        number = {name: size + place for place, name in enumerate(unlisted["parent_id"])}
        names = pl.concat([self.identity.model_id, unlisted["parent_id"].alias("model_id")])
        account = np.concatenate([self.repositories.account, unlisted["parent_account"].to_numpy()])
        parent = pl.coalesce("parent", pl.col("parent_id").replace_strict(number, default=None, return_dtype=pl.Int64))
        edges = said.select("child", parent.alias("parent"), (1 / pl.len().over("child")).alias("weight"))
        others = self.stated.filter(pl.col("child").ne_missing(pl.col("parent")))
        relation = others.unique("child", keep="first", maintain_order=True).select("child", "relation")
        reached = pl.concat([_passed_to_roots(edges), self._cycles()])
        reached = reached.with_columns(
            names.gather(reached["root"]).alias("root_model_id"),
            pl.Series("root_account", account[reached["root"]]),
        )
        return reached.with_columns(namespace_of(pl.col("root_model_id")).alias("root_namespace")).join(
            relation, on="child", how="left", maintain_order="left"
        )

    def _cycles(self) -> pl.DataFrame:
        """The members of planted cycles, with the one root of each."""
        names = self.identity.model_id
        rows = [
            (child, min(members.tolist(), key=names.__getitem__), 1.0)
            for members in self.found.cycles
            for child in members.tolist()
        ]
        return pl.DataFrame(rows, schema={"child": pl.Int64, "root": pl.Int64, "weight": pl.Float64}, orient="row")


def _passed_to_roots(edges: pl.DataFrame) -> pl.DataFrame:
    """`child, root, weight`, from `child, parent, weight`: passed up until no root has parents of its own."""
    reached = edges.rename({"parent": "root"})
    further = edges.select(root="child", above="parent", part="weight")
    while reached["root"].is_in(edges["child"].implode()).any():
        reached = (
            reached.join(further, on="root", how="left")
            .select(
                "child", pl.coalesce("above", "root").alias("root"), pl.col("weight") * pl.col("part").fill_null(1.0)
            )
            .group_by("child", "root")
            .agg(exact_sum("weight"))
        )
    return reached.sort("child", "root")
