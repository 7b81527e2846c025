"""Whoever the unmapped are: every share's bounds contain the truth, in months and windows, by either attribution."""

from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.attribution.developers import attribute
from assets.attribution.organizations import ORGANIZATIONS
from assets.attribution.root_attribution import all_roots
from pipeline.months import add_months
from pipeline.transform.shares import member_shares
from pipeline.transform.windows import share_windows

FIRST = date(2025, 7, 1)
COUNTRIES = ["CN", "FR", "US", "international"]
CANONICAL = pl.LazyFrame(schema=dict.fromkeys(("model_id", "organization", "country", "kind"), pl.String))
NOTHING_UNLISTED = pl.LazyFrame(schema={"parent_model_id": pl.String, "parent_listed": pl.Boolean})
SLACK = 1e-9

accounts = st.lists(
    st.tuples(st.sampled_from([*COUNTRIES, "person"]), st.booleans()), min_size=2, max_size=6
)  # who an account really is, and whether we know it
models = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 10**9), st.booleans(), st.none() | st.integers(0, 11)),
    min_size=1,
    max_size=12,
)  # account, downloads, new or not, and the model that it derives from
worlds = st.tuples(accounts, st.lists(models, min_size=1, max_size=3))


def shares(known_accounts, months):
    """Share tables by uploader and origin, with windows, where only the known accounts are in the registry."""
    rows = [
        dict.fromkeys(ORGANIZATIONS.schema)
        | {"namespace": name, "organization": name, "country": country, "kind": "company"}
        for name, country in known_accounts.items()
        if country != "person"
    ]
    registry = pl.LazyFrame(rows, schema=ORGANIZATIONS.schema)
    persons = [name for name, country in known_accounts.items() if country == "person"]
    asked = pl.LazyFrame(
        {"namespace": persons, "account_type": ["person"] * len(persons)},
        schema={"namespace": pl.String, "account_type": pl.String},
    )
    monthly = []
    for number, (listed, derivations) in enumerate(months):
        month = add_months(FIRST, number)
        known = {"registry": registry, "canonical_models": CANONICAL, "accounts": asked}
        uploaded = attribute(listed.select("hub_id", "model_id", "namespace"), month, **known)
        roots = attribute(all_roots(derivations, NOTHING_UNLISTED), month, **known).rename(
            {"model_id": "root_model_id"}
        )
        by_country, _ = member_shares(listed.with_columns(pl.lit(month).alias("month")), uploaded, derivations, roots)
        monthly.append(by_country)
    return share_windows(pl.concat(monthly))


def month_of_models(drawn, names):
    """What the month lists, and what derives from what (a model derives from an earlier one only)."""
    count = len(drawn)
    listed = pl.LazyFrame(
        {
            "hub_id": [f"{number:02d}" for number in range(count)],
            "namespace": [names[account % len(names)] for account, *_ in drawn],
            "downloads": [float(downloads) for _, downloads, *_ in drawn],
            "is_new": [is_new for _, _, is_new, _ in drawn],
            "is_language_model": [True] * count,
            "is_flagged": [False] * count,
            "basis": ["all_time_delta"] * count,
        }
    ).with_columns(pl.format("{}/{}", "namespace", "hub_id").alias("model_id"))
    parents = [(child, parent) for child, (*_, parent) in enumerate(drawn) if parent is not None and parent < child]
    owners = [names[drawn[parent][0] % len(names)] for _, parent in parents]
    derivations = pl.LazyFrame(
        {
            "hub_id": [f"{child:02d}" for child, _ in parents],
            "root_model_id": [f"{owner}/{parent:02d}" for owner, (_, parent) in zip(owners, parents, strict=True)],
            "namespace": owners,
            "weight": [1.0] * len(parents),
        },
        schema={"hub_id": pl.String, "root_model_id": pl.String, "namespace": pl.String, "weight": pl.Float64},
    )
    return listed, derivations


@settings(max_examples=25)
@given(worlds)
def test_the_bounds_of_every_share_contain_the_truth(world):
    drawn_accounts, drawn_months = world
    names = [f"account-{number}" for number in range(len(drawn_accounts))]
    truth = {name: country for name, (country, _) in zip(names, drawn_accounts, strict=True)}
    known = {name: country for name, (country, is_known) in zip(names, drawn_accounts, strict=True) if is_known}
    months = [month_of_models(drawn, names) for drawn in drawn_months]
    keys = ["month", "window", "population", "attribution", "member"]
    measured = shares(known, months).filter(pl.col("member") != "unmapped")
    compared = measured.join(shares(truth, months).select(*keys, pl.col("share").alias("true")), on=keys, how="left")
    true = pl.col("true").fill_null(0.0)
    outside = (true < pl.col("share_low") - SLACK) | (true > pl.col("share_high") + SLACK)
    assert compared.filter(outside).is_empty()
