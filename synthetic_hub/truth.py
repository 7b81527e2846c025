"""The planted truth, written beside the world: what a census of it must find, computed from what was planted.

Members that are not countries are members all the same: `international`, `unaffiliated` (a person's account) and
`unmapped` (an organisation no registry knows). Organisation and country are those of the name the account has at the
month's close, as they are valid then.

Populations: `all`; `new` (at most 365 days old at the month's close); `language_models` (by its task); and each
`_unflagged`, without the test traffic's account and without the bot's burst in its months.

Attribution: `uploader`, the publishing namespace, and `origin`, the roots of the derivation graph. Each model passes
its downloads to its parents in equal parts, and they to theirs, until roots are reached. Statements about oneself
carry no origin; a model left without parents is its own root. The members of a cycle, none of which has a parent
outside it, have one root together: the member with the smallest name. A parent that nobody lists is a root under the
name it is given. A derivative is new in the calendar month in which it was created.

Sums are taken in decimals, so that they are the same in any order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from synthetic_hub import true_lineage
from synthetic_hub.accounts import UNAFFILIATED, UNMAPPED
from synthetic_hub.downloads import ABSENT, CASES, COUNTER_RESET, is_rolling
from synthetic_hub.planted import Planted, exact_sum
from synthetic_hub.population import RELATIONS
from synthetic_hub.timeline import BOUNDARIES, EXACT_WITHIN, MONTHS, Integers, at, seconds

_GATES = {"false": "open", "auto": "automatic", "manual": "manual"}


def _member_downloads(planted: Planted, dimension: str) -> pl.DataFrame:
    """Grain: month x population x attribution x member of `country` or `organization`, with its downloads."""
    own = pl.DataFrame(
        {"child": range(planted.repositories.size), "account": planted.repositories.account, "weight": 1.0}
    )
    passed = planted.origins.select("child", pl.col("root_account").alias("account"), "weight")
    origin = pl.concat([own.join(passed, on="child", how="anti"), passed])
    parts = pl.concat(
        frame.with_columns(attribution=pl.lit(name)) for name, frame in (("uploader", own), ("origin", origin))
    )
    groups = ["attribution", dimension]
    tables = []
    for month in range(len(MONTHS)):
        counted = planted.counted(month)
        tables.append(
            parts.select(
                "attribution",
                planted.accounts_on(month)[dimension].gather(parts["account"]),
                *[column.gather(parts["child"]) * parts["weight"] for column in counted],
            )
            .group_by(groups)
            .agg(exact_sum(*counted.columns))
            .unpivot(
                counted.columns, index=["attribution", dimension], variable_name="population", value_name="downloads"
            )
            .select(pl.lit(MONTHS[month]).alias("month"), "population", "attribution", dimension, "downloads")
        )
    return pl.concat(tables).filter(pl.col("downloads") > 0).sort("month", "population", "attribution", dimension)


def country_downloads(planted: Planted) -> pl.DataFrame:
    """Grain: month x population x attribution x `country` (ISO 3166, or a member that is none): `downloads`."""
    return _member_downloads(planted, "country")


def organization_downloads(planted: Planted) -> pl.DataFrame:
    """Grain: month x population x attribution x `organization`: `downloads`."""
    return _member_downloads(planted, "organization")


def attribute_downloads(planted: Planted) -> pl.DataFrame:
    """Grain: month x population x dimension x member: `downloads`.

    Members are what the repositories are, as their tags, files and names say. Whether they are gated is told by the
    listing alone, and unknown in the months before the last, which are archived without it.
    """
    year = pl.from_epoch(pl.Series(planted.repositories.created), time_unit="s").dt.year().cast(pl.String)
    attributes = planted.attributes.drop("parameters").with_columns(
        year.alias("creation_year"), planted.static["gated"].replace_strict(_GATES)
    )
    parts = []
    for month, first_day in enumerate(MONTHS):
        kind = planted.accounts_on(month)["kind"].gather(planted.repositories.account)
        members = attributes.with_columns(kind.alias("developer_kind"))
        if month < len(MONTHS) - 1:
            members = members.with_columns(gated=pl.lit("unknown"))
        counted = planted.counted(month)
        parts += [
            counted.group_by(members[dimension].alias("member"))
            .agg(exact_sum(*counted.columns))
            .unpivot(counted.columns, index="member", variable_name="population", value_name="downloads")
            .with_columns(pl.lit(first_day).alias("month"), pl.lit(dimension).alias("dimension"))
            for dimension in members.columns
        ]
    columns = ["month", "population", "dimension", "member"]
    return pl.concat(parts).filter(pl.col("downloads") > 0).select(*columns, "downloads").sort(columns)


def sizes(planted: Planted) -> pl.DataFrame:
    """Grain: month x population.

    `downloads_sized`: downloads of models whose files or name say how large they are; `parameters_downloaded`: the sum
    of these downloads times parameters.
    """
    parameters = planted.attributes["parameters"]
    rows = [
        {
            "month": first_day,
            "population": column.name,
            "downloads_sized": column.filter(parameters > 0).sum(),
            "parameters_downloaded": (column * parameters).sum(),
        }
        for month, first_day in enumerate(MONTHS)
        for column in planted.counted(month)
    ]
    return pl.DataFrame(rows)


def releases(planted: Planted) -> pl.DataFrame:
    """Grain: month x organization x day, persons and unmapped organisations left out: `country`, `new_repositories`.

    Repositories created since the month's opening observation and listed at its close, that derive from nothing or from
    the organisation's own only: what is made and hidden again between two observations is not seen.
    """
    repositories, observed = planted.repositories, planted.downloads.observed
    stated = planted.stated.filter(pl.col("child").ne_missing(pl.col("parent")))
    parts = []
    for month, first_day in enumerate(MONTHS):
        accounts = planted.accounts_on(month)
        own = accounts["organization"].gather(repositories.account)
        strange = stated["child"].filter(
            accounts["organization"].gather(stated["parent_account"]) != own.gather(stated["child"])
        )
        listed = (repositories.created > observed[month]) & repositories.visible(int(observed[month + 1]))
        listed[strange.to_numpy()] = False
        new = np.flatnonzero(listed)
        parts.append(
            pl.DataFrame(
                {
                    "month": [first_day] * len(new),
                    "organization": own.gather(new),
                    "country": accounts["country"].gather(repositories.account[new]),
                    "released_on": pl.from_epoch(pl.Series(repositories.created[new]), time_unit="s").dt.date(),
                }
            )
            .group_by("month", "organization", "country", "released_on")
            .agg(pl.len().cast(pl.Int64).alias("new_repositories"))
            .filter(~pl.col("organization").is_in([UNAFFILIATED, UNMAPPED]))
            .sort("organization", "released_on")
        )
    return pl.concat(parts)


def model_months(planted: Planted) -> pl.DataFrame:
    """Grain: month x repository seen at either end of the month.

    `hub_id`; `model_id` (name at the month's closing observation); `downloads` (0 where the case leaves them out);
    `case` (one of `CASES`); `basis` (`all_time`: growth of the cumulative counter, `rolling_30d`: the 30-day counter);
    `quality` (`exact`, `scaled`, `estimated`).
    """
    identity, downloads = planted.identity, planted.downloads
    parts = []
    for month, first_day in enumerate(MONTHS):
        seen = np.flatnonzero(downloads.case[month] != ABSENT)
        basis, quality = _basis_and_quality(planted, month)
        renamed = pl.Series(identity.renamed_at[seen] <= downloads.observed[month + 1])
        now, before = identity.model_id.gather(seen), identity.former_id.gather(seen)
        parts.append(
            pl.select(
                pl.lit(first_day).alias("month"),
                identity.hub_id.gather(seen).alias("hub_id"),
                pl.when(renamed).then(now).otherwise(pl.coalesce(before, now)).alias("model_id"),
                pl.Series("downloads", downloads.measured(month)[seen]),
                pl.Series("case", CASES).gather(downloads.case[month][seen]),
                pl.lit(basis).alias("basis"),
                pl.lit(quality).alias("quality"),
            )
        )
    return pl.concat(parts)


def _basis_and_quality(planted: Planted, month: int) -> tuple[str, str]:
    if is_rolling(month):
        return "rolling_30d", "estimated"
    offsets = [abs(planted.observations[end].observed_at - BOUNDARIES[end]) for end in (month, month + 1)]
    return "all_time", "exact" if max(offsets) <= EXACT_WITHIN else "scaled"


def months(planted: Planted) -> pl.DataFrame:
    """Grain: month.

    `basis` and `quality` as in `model_months`; time and commit of the usable revisions nearest to its boundaries;
    `downloads` of all repositories; `lost_to_resets` (what fallen counters lost); repositories in each case.
    """
    rows = []
    for month, first_day in enumerate(MONTHS):
        basis, quality = _basis_and_quality(planted, month)
        opening, closing = planted.observations[month : month + 2]
        case, all_time = planted.downloads.case[month], planted.downloads.all_time
        counts = np.bincount(case, minlength=len(CASES))
        rows.append(
            {
                "month": first_day,
                "basis": basis,
                "quality": quality,
                "opening_observed_at": opening.observed_at,
                "closing_observed_at": closing.observed_at,
                "opening_commit": planted.commits.get(opening.committed_at),
                "closing_commit": planted.commits.get(closing.committed_at),
                "downloads": float(planted.downloads.measured(month).sum()),
                "lost_to_resets": int((all_time[month] - all_time[month + 1])[case == COUNTER_RESET].sum()),
                **{case: int(counts[place]) for place, case in enumerate(CASES) if place},
            }
        )
    return pl.DataFrame(rows)


def models(planted: Planted) -> pl.DataFrame:
    """Grain: repository that ever exists.

    Name, `namespace`, `account_type`, `organization` and `country` at the end (the first two null where the name has no
    namespace); `created_at`, `public_at` (when it became visible) and `deleted_at` (or null), UTC; `relation` (how it
    derives from its parents, or null); `pipeline_tag`, or null; `is_language`.
    """
    repositories, identity = planted.repositories, planted.identity
    accounts = planted.accounts_on(len(MONTHS) - 1)
    account = repositories.account
    deleted = _times(repositories.deleted)
    relation = repositories.relation.astype(np.int64)
    return pl.select(
        identity.hub_id.alias("hub_id"),
        identity.model_id.alias("model_id"),
        identity.namespace.alias("namespace"),
        pl.when(identity.namespace.is_not_null())
        .then(planted.accounts.frame()["type"].gather(account))
        .alias("account_type"),
        accounts["organization"].gather(account),
        accounts["country"].gather(account),
        _times(repositories.created).alias("created_at"),
        _times(np.maximum(repositories.created, repositories.public)).alias("public_at"),
        pl.when(deleted <= BOUNDARIES[-1]).then(deleted).alias("deleted_at"),
        pl.Series("relation", (*RELATIONS, None), dtype=pl.String).gather(
            np.where(relation < 0, len(RELATIONS), relation)
        ),
        planted.static["pipeline_tag"],
        planted.is_language.alias("is_language"),
    )


def renames(planted: Planted) -> pl.DataFrame:
    """Grain: repository x former name. `hub_id, former_id, model_id, renamed_at` (UTC)."""
    identity = planted.identity
    columns = {"hub_id": identity.hub_id, "former_id": identity.former_id, "model_id": identity.model_id}
    table = pl.DataFrame(columns).with_columns(renamed_at=_times(identity.renamed_at))
    return table.filter(pl.col("former_id").is_not_null())


def wrong(planted: Planted) -> pl.DataFrame:
    """Grain: what is wrong x repository or revision.

    `label` (the kind); `hub_id`, null where it is the whole Hub's or a revision's; `revision` (the archive's commit, or
    null); `month` (in or from which it shows, where it is one); `detail` (anything else).
    """
    commits = [planted.commits[revision.committed_at] for revision in planted.revisions]
    return planted.found.frame(planted.identity.hub_id, planted.revisions, commits)


def incidents(planted: Planted) -> pl.DataFrame:
    """Grain: counter incident x repository that it happens to: `day, kind, days, catch_up_days, hub_id`."""
    created = planted.repositories.created
    schema = {"day": pl.Date, "kind": pl.String, "days": pl.Int64, "catch_up_days": pl.Int64, "hub_id": pl.String}
    tables = [pl.DataFrame(schema=schema)]
    for incident in planted.settings.daily.incidents if planted.settings.daily else ():
        began = at(incident.day.year, incident.day.month, incident.day.day)
        hit = incident.happens_to(created, planted.settings.seed) & planted.repositories.visible(seconds(began))
        fields = [pl.lit(getattr(incident, name), schema[name]).alias(name) for name in list(schema)[:-1]]
        tables.append(planted.identity.hub_id.filter(hit).to_frame("hub_id").select(*fields, "hub_id"))
    return pl.concat(tables)


def _times(moments: Integers) -> pl.Series:
    return pl.from_epoch(pl.Series(moments), time_unit="s").cast(pl.Datetime("us", "UTC"))


TABLES: dict[str, Callable[[Planted], pl.DataFrame]] = {
    "country_downloads": country_downloads,
    "organization_downloads": organization_downloads,
    "attribute_downloads": attribute_downloads,
    "sizes": sizes,
    "releases": releases,
    "model_months": model_months,
    "months": months,
    "models": models,
    "renames": renames,
    "edges": true_lineage.edges,
    "roots": true_lineage.roots,
    "families": true_lineage.families,
    "flows": true_lineage.flows,
    "pathologies": wrong,
    "incidents": incidents,
}
"""Every table of the truth; the functions say what its rows are."""
