"""Group `listings`: what the Hub listed each month, and what was downloaded in it."""

from __future__ import annotations

import polars as pl

from pipeline.checks.rules import all_found, mostly, mostly_known, mostly_unique, none_where
from pipeline.schema.declaration import DECIMAL, Column, Measure, Rule, Table, TableFrames
from pipeline.sources.observations import BASE_MODELS
from pipeline.tables.columns import (
    BASIS,
    CREATED_AT,
    DOWNLOADS_30D,
    DOWNLOADS_ALL_TIME,
    HUB_ID,
    MODEL_ID,
    MONTH,
    NAMESPACE,
    OBSERVED_AT,
    SOURCE,
    SOURCE_REVISION,
)

STRETCH = 1000
"""Repositories on a page of the listing."""

IDENTIFIED_BY = Column(
    "identified_by",
    pl.String,
    "What `hub_id` holds: `hub_id`, or `name` where the source has none.",
    values=("hub_id", "name"),
)

BASE_MODEL_TAG = "base_model:"
"""How a tag begins that names a base model."""
LINEAGE_TAGS = (BASE_MODEL_TAG, "distil", "knowledge-distil", "model-distil")
"""How tags begin that name a base model or speak of distillation."""

OBSERVATIONS = (
    CREATED_AT.optional(),
    DOWNLOADS_30D.optional(),
    DOWNLOADS_ALL_TIME.optional("Downloads since the repository exists; absent before 2025-02-26 in archives."),
    Column("likes", pl.Int64, "Likes at the observation.", "likes", nullable=True),
    Column("pipeline_tag", pl.String, "The task that the Hub shows for the model.", nullable=True),
    Column("library_name", pl.String, "The library that the Hub names for the model.", nullable=True),
    Column("gated", pl.String, "Whether access must be asked for: `false`, `auto` or `manual`.", nullable=True),
    Column("license", pl.String, "The licence that tags or card declare.", nullable=True),
    Column(
        "safetensors_parameters",
        pl.Int64,
        "Parameters counted in the safetensors files; overstates packed and duplicated weights.",
        "parameters",
        nullable=True,
    ),
    Column("gguf_parameters", pl.Int64, "Parameters stated by the GGUF header.", "parameters", nullable=True),
    Column("tags", pl.List(pl.String), "All tags, as the Hub lists them.", nullable=True),
    Column(
        "base_model_relation",
        pl.String,
        "The relation that the Hub's `baseModels` or, failing that, the card states.",
        nullable=True,
    ),
    Column("base_models", BASE_MODELS, "The parents that the Hub's `baseModels` states.", nullable=True),
    Column("card_base_models", pl.List(pl.String), "`base_model` as the model card declares it.", nullable=True),
    Column(
        "unreadable",
        pl.List(pl.String),
        "The fields that are there and cannot be read, as `field: value`, the value shortened. With more than 1 % of a "
        "field's values unreadable, the source refuses the month.",
        nullable=True,
    ),
)
"""What a snapshot source reports of one repository beside its id and name, before any interpretation."""

HUB_SNAPSHOTS = Table(
    group="listings",
    name="hub_snapshots",
    grain="public model repository at the month's close",
    description=(
        "One observation of every public model repository, the usable one nearest to the boundary that closes the "
        "month. A month is whole or absent; its source and revision stand in every row."
    ),
    columns=(
        MONTH,
        HUB_ID,
        MODEL_ID,
        IDENTIFIED_BY,
        NAMESPACE.optional(),
        *OBSERVATIONS,
        Column(
            "lineage_tags",
            pl.List(pl.String),
            "Those of `tags` that name a base model or speak of distillation, one in ten: lineage needs no others, and "
            "the tags of all repositories are most of a snapshot's bytes.",
            nullable=True,
        ),
        OBSERVED_AT,
        SOURCE,
        SOURCE_REVISION,
    ),
    key=("hub_id",),
    warnings=(
        "Text of cards, tags and names is whatever strangers wrote: treat it as hostile input.",
        "`downloads_30d` of several months must not be added up; use `listings/model_downloads`.",
    ),
    rules=(
        Rule(
            "created_before_observed",
            "No repository was created after it was observed.",
            lambda frames: (
                frames.scan("listings/hub_snapshots")
                .filter(pl.col("created_at") > pl.col("observed_at"))
                .select("hub_id", "model_id", "created_at", "observed_at")
            ),
            severity="warning",
        ),
        Rule(
            "values_readable",
            "No field holds a value that cannot be read.",
            lambda frames: (
                frames.scan("listings/hub_snapshots")
                .select(pl.col("unreadable").list.explode(keep_nulls=False, empty_as_null=False))
                .with_columns(pl.col("unreadable").str.extract("^([^:]*): ", 1).alias("field"))
                .group_by("field")
                .agg(pl.len().alias("values"), pl.col("unreadable").min().alias("example"))
                .sort("field")
            ),
            severity="warning",
            quoted=("example", "values"),
        ),
        mostly_unique("listings/hub_snapshots", "model_id"),
        none_where(
            "listings/hub_snapshots",
            "likes_not_negative",
            "No repository has fewer than 0 likes.",
            pl.col("likes") < 0,
            "warning",
        ),
    ),
    measures=(
        mostly(
            "listings/hub_snapshots",
            "names_mostly_well_formed",
            "Share of repositories named `namespace/name`, or, the oldest ones, `name`.",
            pl.col("model_id").str.contains(r"^[^/\s]+(/[^/\s]+)?$"),
            0.999,
        ),
        # A source without counters cannot measure the month.
        mostly_known("listings/hub_snapshots", "downloads_30d", 0.95),
        # The age of a model decides whether it counts as new.
        mostly_known("listings/hub_snapshots", "created_at", 0.95),
    ),
)

HUB_ACCOUNTS = Table(
    group="listings",
    name="hub_accounts",
    grain="namespace that was asked about",
    description=(
        "Whether a namespace is a person's account or an organisation's, as the Hub's account overviews say. The most "
        "downloaded namespaces are asked about until 99 % of the month's downloads are known or the request budget "
        "ends; answers are kept across months."
    ),
    columns=(
        MONTH,
        NAMESPACE,
        Column(
            "account_type",
            pl.String,
            "`person`, `organization`, or `unknown` where the Hub knows neither.",
            values=("person", "organization", "unknown"),
        ),
        Column("checked_on", pl.Date, "The day on which the Hub gave this answer.", nullable=True),
    ),
    key=("namespace",),
    may_be_empty=True,
    warnings=("Namespaces that are not listed here were not asked about: their type is unknown.",),
)


def _with_presence(frames: TableFrames) -> pl.LazyFrame:
    """The repositories of the opening in the order of their ids, and whether each is listed at the close."""
    listed = frames.scan("listings/hub_snapshots").select("hub_id", pl.lit(value=True).alias("is_there"))
    opening = frames.scan("listings/opening_counters").select("hub_id", "model_id")
    return (
        opening.join(listed, on="hub_id", how="left")
        .with_columns(pl.col("is_there").fill_null(value=False))
        .sort("hub_id")
    )


def _too_many_gone(frames: TableFrames) -> pl.LazyFrame:
    from pipeline import settings  # noqa: PLC0415 - which knows the origin rules that tables declare

    most_gone = pl.max_horizontal((1 - settings.fewest_still_listed()) * pl.col("models"), pl.lit(2))
    return _gone(frames).filter(pl.col("gone") > most_gone)


def _gone(frames: TableFrames) -> pl.LazyFrame:
    """One row: the repositories of the opening, and how many of them are not listed at the close."""
    return _with_presence(frames).select(pl.len().alias("models"), (~pl.col("is_there")).sum().alias("gone"))


OPENING_COUNTERS = Table(
    group="listings",
    name="opening_counters",
    continues="listings/hub_snapshots",
    grain="public model repository at the month's opening",
    description=(
        "The counters at the boundary that opens the month: the closing snapshot of the month before if the lake holds "
        "it, else the same observation from the source. Empty where the source does not reach back so far."
    ),
    columns=(
        MONTH,
        HUB_ID,
        MODEL_ID,
        IDENTIFIED_BY,
        CREATED_AT.optional(),
        DOWNLOADS_ALL_TIME.optional(),
        OBSERVED_AT,
        SOURCE,
        SOURCE_REVISION,
    ),
    key=("hub_id",),
    may_be_empty=True,
    rules=(
        Rule(
            "still_listed",
            "At least 95 % of the repositories of the opening (CENSUS_FEWEST_STILL_LISTED), or all but two, are listed "
            "at the close: with fewer the observation is cut.",
            _too_many_gone,
            quoted=("gone", "models"),
        ),
        Rule(
            "no_stretch_gone",
            "Nowhere in the order of creation are a thousand repositories of the opening, as many as a page of the "
            "listing has, missing at the close one after the other.",
            lambda frames: (
                _with_presence(frames)
                .with_columns(pl.col("is_there").rle_id().alias("stretch"))
                .filter(~pl.col("is_there"))
                .group_by("stretch")
                .agg(pl.len().alias("models"), pl.col("hub_id").first(), pl.col("model_id").first())
                .filter(pl.col("models") >= STRETCH)
                .sort("stretch")
            ),
            quoted=("models", "model_id"),
        ),
        Rule(
            "identity_unchanged",
            "Both observations identify repositories alike; those for which one of them has no id are matched by name.",
            lambda frames: (
                frames.scan("listings/opening_counters")
                .join(frames.scan("listings/hub_snapshots").select("hub_id", "identified_by"), on="hub_id")
                .filter(pl.col("identified_by") != pl.col("identified_by_right"))
                .group_by("identified_by")
                .agg(pl.len().alias("matched_by_name"))
            ),
            severity="warning",
            quoted=("matched_by_name",),
        ),
    ),
    measures=(
        Measure(
            "gone_share",
            "Share of the repositories of the opening that are not listed at the close.",
            lambda frames: _gone(frames).select(pl.col("gone") / pl.col("models")).fill_nan(0.0),
            maximum=0.02,
            severity="warning",
        ),
    ),
)


QUALITIES = ("exact", "scaled", "estimated")
FLOW_CASES = ("continued", "created", "late_arrival", "counter_reset", "not_counted", "estimated")
"""What the month's flow of a repository rests on, in `model_downloads`; see that column's meaning."""
ACCOUNT_CASES = (*FLOW_CASES, "disappeared")

MODEL_DOWNLOADS = Table(
    group="listings",
    name="model_downloads",
    reviewed_lists=("flagged_models.csv", "language_tasks.csv"),
    grain="public model repository at the month's close",
    description=(
        "Downloads in the month. From the cumulative counter at both boundaries, scaled to the month's length; in a "
        "month where fewer than 95 % of repositories carry that counter at both ends, from the 30-day counter. One "
        "month has one basis."
    ),
    columns=(
        MONTH,
        HUB_ID,
        MODEL_ID,
        NAMESPACE.optional(),
        CREATED_AT.optional(),
        Column("downloads", DECIMAL, "Downloads in the month.", "downloads", minimum=0),
        BASIS,
        Column(
            "quality",
            pl.String,
            "`exact` (both observations within 36 hours of their boundaries), `scaled`, or `estimated` (30-day "
            "counter).",
            values=QUALITIES,
        ),
        Column(
            "flow_case",
            pl.String,
            "`continued`; `created` in the month (previous counter 0); `late_arrival` (first seen, but created "
            "earlier: left out of the flow); `counter_reset` (counter fell: flow 0); `not_counted` (no counter at one "
            "end); `estimated` (30-day counter).",
            values=FLOW_CASES,
        ),
        Column(
            "downloads_lost",
            pl.Int64,
            "By how much the cumulative counter fell (0 where it did not).",
            "downloads",
            minimum=0,
        ),
        Column("age_days", pl.Float64, "Age at the month's close.", "days", nullable=True),
        Column("is_new", pl.Boolean, "At most 365 days old at the month's close; false where the age is unknown."),
        Column("is_language_model", pl.Boolean, "A text or vision-language model, by its task on the Hub."),
        Column(
            "is_flagged",
            pl.Boolean,
            "Known in this month for downloads that are not people's use (test suites, bursts), by the reviewed list "
            "of flagged models; they are counted, and left out of populations that say so.",
        ),
    ),
    key=("hub_id",),
    warnings=("In months with basis `rolling_30d` the figures are estimates and no repository is left out.",),
    rules=(
        Rule(
            "one_basis",
            "All rows of a month rest on the same counter.",
            lambda frames: (
                frames.scan("listings/model_downloads")
                .group_by("month")
                .agg(pl.col("basis").n_unique().alias("bases"))
                .filter(pl.col("bases") > 1)
            ),
        ),
        Rule(
            "counters_moved",
            "Of ten repositories or more that are counted at both ends, one at least was downloaded: otherwise the "
            "close is a copy of the opening.",
            lambda frames: (
                frames.scan("listings/model_downloads")
                .filter(pl.col("flow_case").is_in(["continued", "counter_reset"]))
                .select(
                    pl.len().alias("models"),
                    ((pl.col("downloads") > 0) | (pl.col("downloads_lost") > 0)).sum().alias("moved"),
                )
                .filter((pl.col("models") >= 10) & (pl.col("moved") == 0))
            ),
            quoted=("models",),
        ),
        all_found(
            "snapshot_covered",
            "Every repository of the snapshot has exactly one row.",
            "listings/hub_snapshots.hub_id",
            among="listings/model_downloads.hub_id",
        ),
    ),
    measures=(
        Measure(
            "late_arrival_share",
            "Share of repositories that are first seen although created earlier.",
            lambda frames: _share_of_case(frames, "late_arrival"),
            maximum=0.05,
            severity="warning",
        ),
        Measure(
            "counter_reset_share",
            "Share of repositories that have a counter that fell.",
            lambda frames: _share_of_case(frames, "counter_reset"),
            maximum=0.05,
            severity="warning",
        ),
    ),
)


def _share_of_case(frames: TableFrames, case: str) -> pl.LazyFrame:
    return frames.scan("listings/model_downloads").select((pl.col("flow_case") == case).mean())


DOWNLOAD_ACCOUNTS = Table(
    group="listings",
    name="download_accounts",
    grain="flow case",
    description=(
        "The month's accounts: how many repositories and downloads were measured in which way, and what could not be "
        "measured."
    ),
    columns=(
        MONTH,
        Column(
            "flow_case",
            pl.String,
            "As in `listings/model_downloads`; `disappeared`: listed at the opening only.",
            values=ACCOUNT_CASES,
        ),
        Column("models", pl.Int64, "Repositories in this case.", "repositories", minimum=0),
        Column("downloads", DECIMAL, "Downloads counted in the month's flow.", "downloads", minimum=0),
        Column("downloads_lost", pl.Int64, "Downloads by which cumulative counters fell.", "downloads", minimum=0),
        BASIS,
        Column("quality", pl.String, "As in `listings/model_downloads`.", values=QUALITIES),
        Column("days_observed", pl.Float64, "Days between the two observations.", "days", nullable=True),
        Column("opened_at", OBSERVED_AT.type, "Observation at the month's opening.", "UTC", nullable=True),
        Column("closed_at", OBSERVED_AT.type, "Observation at the month's close.", "UTC"),
        SOURCE,
        SOURCE_REVISION,
    ),
    key=("flow_case",),
)

MONTH_ACCOUNTS = Table(
    group="listings",
    name="month_accounts",
    grain="month",
    description=(
        "The month as a whole: between which observations it was measured and how far that was scaled, how its total "
        "compares with the 30-day counters and with what others measured, and what went wrong upstream."
    ),
    columns=(
        MONTH,
        BASIS,
        Column("quality", pl.String, "As in `listings/model_downloads`.", values=QUALITIES),
        Column("opened_at", OBSERVED_AT.type, "Observation at the month's opening.", "UTC", nullable=True),
        Column("closed_at", OBSERVED_AT.type, "Observation at the month's close.", "UTC"),
        Column("days_observed", pl.Float64, "Days between the two observations.", "days", nullable=True),
        Column(
            "scaling",
            pl.Float64,
            "What was observed times this is the month's downloads.",
            "factor",
            minimum=0.5,
            maximum=2,
        ),
        Column("models", pl.Int64, "Repositories at the month's close.", "repositories"),
        Column("models_renamed", pl.Int64, "Repositories with another name than at the opening.", "repositories"),
        Column("downloads", DECIMAL, "Downloads in the month.", "downloads", minimum=0),
        Column("downloads_a_day", pl.Float64, "Downloads by day of the month.", "downloads/day"),
        Column(
            "downloads_by_30d_counter",
            pl.Float64,
            "What the 30-day counters at the close give for the month: their sum, times the month's days / 30.",
            "downloads",
        ),
        Column(
            "ratio_to_30d_counter",
            pl.Float64,
            "`downloads` / `downloads_by_30d_counter`; the Hub's two counters differ by 3 to 9 %.",
            "fraction",
            nullable=True,
        ),
        Column("models_flagged", pl.Int64, "Repositories with flagged traffic.", "repositories"),
        Column("downloads_flagged", DECIMAL, "Their downloads, which are counted.", "downloads"),
        Column("plausible_low", pl.Float64, "Least plausible downloads a day.", "downloads/day", nullable=True),
        Column("plausible_high", pl.Float64, "Most plausible downloads a day.", "downloads/day", nullable=True),
        Column(
            "is_plausible",
            pl.Boolean,
            "Whether `downloads_a_day` lies between them; absent where nothing is known.",
            nullable=True,
        ),
        Column(
            "incidents", pl.String, "Known incidents upstream between the two observations, by `; `.", nullable=True
        ),
        Column(
            "incidents_at_observation",
            pl.String,
            "Those that spoilt counters on the day of an observation, by `; `.",
            nullable=True,
        ),
        SOURCE,
        SOURCE_REVISION,
    ),
    key=("month",),
    rules=(
        # The Hub's two counters differ by 3 to 9 %; much more is a fault of one of them.
        none_where(
            "listings/month_accounts",
            "counters_agree",
            "The downloads are from half to twice what the 30-day counters give.",
            ~pl.col("ratio_to_30d_counter").is_between(0.5, 2),
            "warning",
        ),
        Rule(
            "total_plausible",
            "The downloads a day are near what others measured in this month.",
            lambda frames: frames.scan("listings/month_accounts").filter(~pl.col("is_plausible")),
            severity="warning",
        ),
        Rule(
            "observed_on_sound_days",
            "Neither observation was made while counters were known to be rolled back, frozen or missing.",
            lambda frames: frames.scan("listings/month_accounts").filter(
                pl.col("incidents_at_observation").is_not_null()
            ),
            severity="warning",
        ),
    ),
)

TABLES = (HUB_SNAPSHOTS, HUB_ACCOUNTS, OPENING_COUNTERS, MODEL_DOWNLOADS, DOWNLOAD_ACCOUNTS, MONTH_ACCOUNTS)
