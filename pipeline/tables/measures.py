"""Group `shares`, measures that are not shares: how concentrated, how large, how often, how fast, by way of whom."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.schema.declaration import DECIMAL, Column, Table, columns_of
from pipeline.tables.attributes import HANDED_ON, INTERMEDIARY_KINDS, SIZE_BANDS, SIZE_STATED
from pipeline.tables.columns import (
    ANY_COUNTRY,
    ANY_ORGANIZATION,
    BASIS,
    COUNTRY,
    CREATED_AT,
    HUB_ID,
    MEASURED,
    MODEL_ID,
    MONTH,
    NAMESPACE,
    OF_POPULATION,
    ORGANIZATION,
    WEIGHTED,
)
from pipeline.tables.shares import (
    ATTRIBUTION,
    COVERAGE,
    IN_WINDOW,
    POPULATION,
    SHARE,
    WITHIN,
)

TOP = (1, 10, 100, 1000)
ROUNDED_ONE = 1.000000001
CONCENTRATION = Table(
    group="shares",
    name="concentration",
    grain="population, attribution and dimension",
    description=(
        "How concentrated downloads are over models, organisations and countries. Members that are no organisation or "
        "country (`unmapped`, `unaffiliated`) are left out of both sums; `coverage` says what part that leaves. "
        "`international` counts as one country."
    ),
    columns=(
        *IN_WINDOW,
        POPULATION,
        ATTRIBUTION,
        Column("dimension", pl.String, "`model`, `organization` or `country`."),
        Column("members", pl.Int64, "Members, those without downloads included.", "members"),
        Column("denominator", DECIMAL, "Downloads of these members.", "downloads"),
        Column(
            "hhi",
            pl.Float64,
            "Herfindahl-Hirschman index: sum of squared shares, from 1/members to 1.",
            "index",
            minimum=0,
            maximum=ROUNDED_ONE,
        ),
        Column(
            "effective_number",
            pl.Float64,
            "Reciprocal of `hhi`: as many equal members would be as concentrated.",
            "members",
        ),
        Column(
            "gini",
            pl.Float64,
            "Gini coefficient over the members, 0 where all are equal.",
            "index",
            minimum=0,
            maximum=ROUNDED_ONE,
        ),
        *(
            Column(
                f"top_{count}_share",
                pl.Float64,
                f"Share of the {count:,} most downloaded.",
                "fraction",
                minimum=f"top_{fewer}_share" if fewer else 0,
                maximum=ROUNDED_ONE,
            )
            for fewer, count in zip((None, *TOP), TOP, strict=False)
        ),
        replace(COVERAGE, meaning="Part of the population's downloads that these members have.", maximum=ROUNDED_ONE),
        BASIS,
    ),
    key=("window", "population", "attribution", "dimension"),
    warnings=(
        "Over models there are months only: longer windows would need every model of every month.",
        "A Gini over models counts the many that nobody downloads, so it is near 1 whoever leads.",
    ),
    made_of={
        **OF_POPULATION,
        "members": (*columns_of("listings/model_downloads", "hub_id"), *ANY_ORGANIZATION, *ANY_COUNTRY),
        **dict.fromkeys(
            ("denominator", "hhi", "effective_number", "gini", "coverage", *(f"top_{count}_share" for count in TOP)),
            (*MEASURED, *WEIGHTED, *ANY_ORGANIZATION, *ANY_COUNTRY),
        ),
    },
)

MODEL_SIZES = Table(
    group="shares",
    name="model_sizes",
    grain="population and country, or all",
    description=(
        "How large the downloaded models are: mean and median parameters, each model weighted by its downloads. Models "
        "of unknown size are left out of the means; `coverage` says what part of the downloads is known."
    ),
    columns=(
        *IN_WINDOW,
        POPULATION,
        replace(WITHIN, meaning="Whose models: `all`, or those of one country by uploader."),
        Column("denominator", DECIMAL, "Downloads of models of known size.", "downloads"),
        Column(
            "parameters_downloaded",
            pl.Float64,
            "Numerator of the mean: sum of downloads times parameters.",
            "parameters",
        ),
        Column(
            "mean_parameters",
            pl.Float64,
            "`parameters_downloaded` / `denominator`.",
            "parameters",
            nullable=True,
            minimum=0,
            maximum=1e13,
        ),
        Column(
            "median_parameters",
            pl.Float64,
            "Half of the downloads are of models at most this large; of single months only, for medians do not add up.",
            "parameters",
            nullable=True,
        ),
        replace(COVERAGE, meaning="Part of all downloads whose model's size is known.", maximum=ROUNDED_ONE),
        Column("downloads", DECIMAL, "All downloads, those of models of unknown size included.", "downloads"),
        BASIS,
    ),
    key=("window", "population", "within"),
    made_of={
        **OF_POPULATION,
        "within": columns_of("attribution/model_attribution", "country"),
        "downloads": MEASURED,
        **dict.fromkeys(
            ("denominator", "parameters_downloaded", "mean_parameters", "median_parameters", "coverage"),
            (*MEASURED, *SIZE_STATED),
        ),
    },
)

RELEASE_DAYS = Table(
    group="shares",
    name="release_days",
    grain="organisation and day of release",
    description=(
        "On which days each developer created first-party repositories, those that derive from nothing or from the "
        "same organisation's models only, between the observations at the month's opening and close. From this follows "
        "the cadence of releases."
    ),
    columns=(
        MONTH,
        ORGANIZATION,
        COUNTRY,
        Column("released_on", pl.Date, "The day (UTC) on which the repositories were created."),
        Column("new_repositories", pl.Int64, "First-party repositories created.", "repositories", minimum=1),
    ),
    key=("organization", "released_on"),
    may_be_empty=True,
    warnings=("The day of creation precedes the release where a repository was kept private at first.",),
    made_of={
        "month": OF_POPULATION["month"],
        "organization": columns_of("attribution/model_attribution", "organization"),
        "country": columns_of("attribution/model_attribution", "country"),
        "released_on": columns_of("listings/model_downloads", "created_at"),
        "new_repositories": (
            *columns_of("listings/model_downloads", "created_at"),
            *columns_of("listings/opening_counters", "observed_at"),
            *columns_of("lineage/model_lineage", "is_derivative"),
        ),
    },
)

RELEASE_CADENCE = Table(
    group="published",
    name="release_cadence",
    grain="month, window, and organisation or country",
    description=(
        "How often developers release: first-party repositories created in the twelve months that end with `month`, "
        "the days on which any was, and what lies between. One day's repositories are variants of one release."
    ),
    columns=(
        *IN_WINDOW,
        Column("dimension", pl.String, "`organization` or `country`."),
        Column("member", pl.String, "The organisation or the country; persons and unmapped ones are left out."),
        Column("new_repositories", pl.Int64, "First-party repositories created.", "repositories"),
        Column("release_days", pl.Int64, "Days with at least one of them.", "days"),
        Column(
            "median_days_between",
            pl.Float64,
            "Median of the days from one release day to the next; absent with fewer than two.",
            "days",
            nullable=True,
        ),
        Column("variants_per_release", pl.Float64, "`new_repositories` / `release_days`.", "repositories"),
        Column(
            "new_repositories_in_all",
            pl.Int64,
            "First-party repositories that anybody created in the window: the denominator of `coverage`.",
            "repositories",
        ),
        Column("coverage", pl.Float64, "Part of them that known organisations created.", "fraction"),
    ),
    key=("month", "window", "dimension", "member"),
    monthly=False,
    warnings=RELEASE_DAYS.warnings,
)

MARKS = (1, 3, 6, 12)
FEWEST_DOWNLOADS_AT_MARK = 1_000
REFERENCE_MODELS = 10

_SIZE_BAND = Column(
    "size_band",
    pl.String,
    "As in `attribute_shares`; models of unknown size are left out.",
    values=tuple(SIZE_BANDS),
)
_MARK = Column(
    "months_after_creation",
    pl.Int32,
    "Whole calendar months since the month of creation.",
    "months",
    values=MARKS,
)
_AT_MARK = Column(
    "downloads_at_mark",
    pl.Int64,
    "The cumulative counter at the close of the month that is so many months after the month of creation.",
    "downloads",
    minimum=FEWEST_DOWNLOADS_AT_MARK,
)
ADOPTION_MARKS = Table(
    group="shares",
    name="adoption_marks",
    grain="repository that reached a mark in the month",
    description=(
        "How often models were downloaded 1, 3, 6 and 12 months after their month of creation, by the cumulative "
        f"counter: models of known size with at least {FEWEST_DOWNLOADS_AT_MARK:,} downloads by then. Empty where the "
        "source has no cumulative counter (before March 2025)."
    ),
    columns=(MONTH, HUB_ID, MODEL_ID, ORGANIZATION, COUNTRY, CREATED_AT, _SIZE_BAND, _MARK, _AT_MARK),
    key=("hub_id",),
    may_be_empty=True,
    made_of={
        "month": OF_POPULATION["month"],
        "hub_id": columns_of("listings/model_downloads", "hub_id"),
        "model_id": columns_of("listings/hub_snapshots", "model_id"),
        "organization": columns_of("attribution/model_attribution", "organization"),
        "country": columns_of("attribution/model_attribution", "country"),
        "created_at": columns_of("listings/model_downloads", "created_at"),
        "size_band": SIZE_STATED,
        "months_after_creation": columns_of("listings/model_downloads", "month", "created_at"),
        "downloads_at_mark": columns_of("listings/hub_snapshots", "downloads_all_time"),
    },
)

ADOPTION = Table(
    group="published",
    name="adoption",
    grain="month and repository that reached a mark in it",
    description=(
        "Adoption relative to the leaders of the size band: a model's cumulative downloads 1, 3, 6 and 12 months after "
        f"its month of creation, over the median of the {REFERENCE_MODELS} most downloaded that reached the same mark "
        "in the same band within the twelve months that end with `month`. After the relative adoption metric of the "
        "ATOM project (arXiv 2604.07190), by months instead of days and over all models instead of a chosen list. "
        f"Models with fewer than {FEWEST_DOWNLOADS_AT_MARK:,} downloads at the mark are left out."
    ),
    columns=(
        *IN_WINDOW,
        HUB_ID,
        MODEL_ID,
        ORGANIZATION,
        COUNTRY,
        CREATED_AT,
        _SIZE_BAND,
        _MARK,
        _AT_MARK,
        Column("reference_downloads", pl.Float64, "Median of the reference models' downloads.", "downloads"),
        Column(
            "reference_models",
            pl.Int32,
            f"Models behind the reference, {REFERENCE_MODELS} where there are so many.",
            "repositories",
        ),
        Column("relative_adoption", pl.Float64, "`downloads_at_mark` / `reference_downloads`.", "ratio"),
        Column("rank", pl.Int32, "Place within the band and mark over the window, 1 for the most; ties share it."),
    ),
    key=("month", "hub_id"),
    monthly=False,
    warnings=("A window of fewer months has a lower reference, and so higher ratios: compare complete ones.",),
)

FEWEST_REPOSITORIES = 10
MOSTLY = 0.5
_PART = "Part of its repositories that are {}."
INTERMEDIARIES = Table(
    group="shares",
    name="intermediaries",
    grain="population and namespace that is an intermediary",
    description=(
        "Namespaces that mostly re-upload, quantise or adapt others' models, and their part of the downloads: at least "
        f"{FEWEST_REPOSITORIES} repositories, more than half of which have only parents of other organisations and are "
        "re-uploads (the parent's own name), quantised, or adapters and merges. Full fine-tunes are not counted: they "
        "are models of their own. Those without downloads in the month are left out."
    ),
    columns=(
        *IN_WINDOW,
        POPULATION,
        NAMESPACE,
        ORGANIZATION,
        COUNTRY,
        Column(
            "intermediary",
            pl.String,
            "What most of its repositories are: `re_uploader`, `quantizer`, `adapter_publisher`, or `mixed`.",
            values=INTERMEDIARY_KINDS,
        ),
        Column(
            "repositories",
            pl.Int64,
            "Repositories of the namespace, in any population.",
            "repositories",
            minimum=FEWEST_REPOSITORIES,
        ),
        Column("re_uploaded", pl.Float64, _PART.format("re-uploads under the parent's name"), "fraction"),
        Column("quantized", pl.Float64, _PART.format("quantised from others' models"), "fraction"),
        Column("adapted", pl.Float64, _PART.format("adapters or merges of others' models"), "fraction"),
        Column("downloads", DECIMAL, "Numerator: the namespace's downloads.", "downloads"),
        Column("denominator", DECIMAL, "All downloads of the population.", "downloads"),
        SHARE,
        replace(
            COVERAGE, meaning="Part of the denominator by repositories whose namespace is known.", maximum=ROUNDED_ONE
        ),
        BASIS,
    ),
    key=("window", "population", "namespace"),
    may_be_empty=True,
    warnings=(
        "The share of all intermediaries together is dimension `intermediary` of `attribute_shares`.",
        "A derivative that declares no parent cannot be told from an original: the figures are lower bounds.",
    ),
    made_of={
        **OF_POPULATION,
        **{
            name: columns_of("attribution/model_attribution", name) for name in ("namespace", "organization", "country")
        },
        "repositories": columns_of("attribution/model_attribution", "hub_id", "namespace"),
        **dict.fromkeys(("intermediary", "re_uploaded", "quantized", "adapted"), HANDED_ON),
        **dict.fromkeys(("downloads", "denominator", "share"), MEASURED),
        "coverage": (*MEASURED, *columns_of("attribution/model_attribution", "namespace")),
    },
)

TABLES = (CONCENTRATION, MODEL_SIZES, RELEASE_DAYS, ADOPTION_MARKS, INTERMEDIARIES)
"""The tables of the month; `RELEASE_CADENCE` and `ADOPTION` look over several months and are made when publishing."""
