"""The models behind the figures: few with almost all downloads, and with the remainder exactly all of them."""

from datetime import date
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.attribution.model_attribution import ROOT_ATTRIBUTION
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from assets.published.models import LISTED_SHARE, by_origin, by_uploader, listed_models, with_remainder
from pipeline.schema.shares import POPULATION_NAMES, REMAINDER, downloads_column
from tests.assets.rows import rows_of

AUGUST = date(2025, 8, 1)
DOWNLOADS = [downloads_column(population) for population in POPULATION_NAMES]
COUNTRIES = ("CN", "US", "FR")
A_MODEL = st.fixed_dictionaries(
    {
        "downloads": st.integers(0, 10**15).map(lambda millionths: Decimal(millionths) / 10**6),
        "country": st.sampled_from(COUNTRIES),
        "is_new": st.booleans(),
        "is_language_model": st.booleans(),
        "is_flagged": st.booleans(),
        "roots": st.lists(st.sampled_from(COUNTRIES), max_size=3, unique=True),
    }
)
MONTHS = st.lists(A_MODEL, min_size=1, max_size=15)


def models_of(month):
    return rows_of(
        MODELS,
        [
            {"month": AUGUST, "hub_id": f"{number:03}", "model_id": f"a/{number:03}", "root_model_id": f"a/{number:03}"}
            | model
            for number, model in enumerate(month)
        ],
    )


def origin_of(month):
    """The month's `model_origin_month` without the remainder; roots of equal weight, the rest on the first."""
    weights = []
    for number, model in enumerate(month):
        equal = (Decimal(1) / max(len(model["roots"]), 1)).quantize(Decimal("1e-12"))
        for place, root in enumerate(model["roots"]):
            weight = equal if place else 1 - equal * (len(model["roots"]) - 1)
            weights.append({"hub_id": f"{number:03}", "root_model_id": f"root/{root}", "weight": weight})
    owners = [{"root_model_id": f"root/{country}", "country": country} for country in COUNTRIES]
    return by_origin(
        listed_models(models_of(month)), rows_of(ORIGIN_WEIGHTS, weights), rows_of(ROOT_ATTRIBUTION, owners)
    ).collect()


@given(MONTHS)
@settings(max_examples=30)
def test_the_listed_models_are_the_fewest_that_make_up_999_of_a_thousand(month):
    listed = listed_models(models_of(month)).collect()
    total = sum(model["downloads"] for model in month)
    assert float(listed["downloads"].sum()) >= LISTED_SHARE * float(total)
    others = models_of(month).collect().join(listed, on="hub_id", how="anti")["downloads"]
    assert max(others, default=0) < listed["downloads"].min() if listed.height else not any(others)
    if listed.height:
        fewer = listed.filter(pl.col("downloads") > listed["downloads"].min())["downloads"].sum()
        assert float(fewer) < LISTED_SHARE * float(total)


@given(MONTHS)
@settings(max_examples=30)
def test_a_listed_model_is_wholly_its_uploaders_and_to_the_last_digit_its_roots(month):
    listed = listed_models(models_of(month)).collect()
    uploaded, originated = by_uploader(listed.lazy()).collect(), origin_of(month)
    for column in DOWNLOADS:
        assert uploaded[column].sum() == listed[column].sum()
    by_model = originated.group_by("hub_id").agg(pl.col("downloads", "weight").sum()).sort("hub_id")
    assert by_model["downloads"].to_list() == listed["downloads"].to_list()
    assert set(by_model["weight"]) <= {1}


@given(MONTHS)
@settings(max_examples=30)
def test_with_the_remainder_every_download_of_every_population_is_there(month):
    rows = by_uploader(listed_models(models_of(month))).collect()
    whole = models_of(month).collect()
    populations = {
        name: whole.filter(
            (pl.col("is_new") if name.startswith("new") else True)
            & (pl.col("is_language_model") if name.startswith("language") else True)
            & (~pl.col("is_flagged") if name.endswith("unflagged") else True)
        )
        for name in POPULATION_NAMES
    }
    shares = pl.concat(
        of.group_by("month", member="country")
        .agg(pl.col("downloads").sum(), models=pl.len().cast(pl.Int64))
        .with_columns(pl.lit(name).alias("population"))
        for name, of in populations.items()
    )
    published = with_remainder(rows.lazy(), shares.lazy()).collect()
    for name, of in populations.items():
        assert published[downloads_column(name)].sum() == of["downloads"].sum()
    assert published["models"].sum() == len(month)
    assert published.filter(pl.col("hub_id") == REMAINDER)["country"].is_unique().all()
