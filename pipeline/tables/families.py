"""Group `shares`, the part that follows derivations: families of models, and who builds on whom."""

from __future__ import annotations

import polars as pl

from pipeline.schema.declaration import DECIMAL, Column, Measure, Rule, Table, TableFrames, columns_of
from pipeline.tables.columns import (
    ANY_COUNTRY,
    ANY_ORGANIZATION,
    COUNTRY_PATTERN,
    MEASURED,
    MONTH,
    RELATIONS,
    WEIGHTED,
)

LEVELS = ("root_model", "root_organization")
"""What a family is named after: the root repository, or the organisation that made it."""

_NEW_DERIVATIVES = Column(
    "new_derivatives", pl.Float64, "Derivatives created within the month, by their weights.", "repositories", minimum=0
)
_DERIVATIVES = Column(
    "derivatives", pl.Float64, "Derivatives listed at the month's close, by their weights.", "repositories", minimum=0
)
_NEW_DERIVATIVES_IN_ALL = Column(
    "new_derivatives_in_all", pl.Int64, "Derivatives created within the month, whole: the denominator.", "repositories"
)
_SHARE_OF_NEW = Column(
    "share_of_new_derivatives",
    pl.Float64,
    "Part of the month's new derivatives; 0 in a month without any.",
    "fraction",
    minimum=0,
    maximum=1.000000001,
)
_CREATED = columns_of("listings/model_downloads", "created_at")
_CHILDREN = columns_of("lineage/derivations", "child_hub_id")
_BY_RELATION = columns_of("lineage/derivations", "relation")
_MADE_OF = {
    "month": columns_of("listings/model_downloads", "month"),
    "new_derivatives": (*WEIGHTED, *_CREATED),
    "derivatives": WEIGHTED,
    "new_derivatives_in_all": (*_CHILDREN, *_CREATED),
    "share_of_new_derivatives": (*WEIGHTED, *_CHILDREN, *_CREATED),
    "downloads": (*MEASURED, *WEIGHTED),
}
"""What the columns are made of that families and flows share."""


def change_of_derivative_share(frames: TableFrames) -> pl.LazyFrame:
    """Absolute difference of the derivatives' part of new models to the month before; one cell."""
    families = frames.scan_previous("shares/family_shares")
    snapshot = frames.scan_previous("listings/hub_snapshots")
    now = _derivative_share(frames.scan("shares/family_shares"), frames.scan("listings/hub_snapshots"))
    before = _derivative_share(families, snapshot).rename({"share": "before"})
    change = (pl.col("share") - pl.col("before")).abs()
    return now.join(before, how="cross").select(change.fill_nan(0.0).fill_null(0.0).alias("change"))


def _derivative_share(families: pl.LazyFrame, snapshot: pl.LazyFrame) -> pl.LazyFrame:
    """The derivatives' part of the models created in the month; null or not a number where there are none."""
    is_new = pl.col("created_at").dt.date().dt.month_start() == pl.col("month")
    derivatives = families.select(pl.col("new_derivatives_in_all").max().alias("derivatives"))
    return derivatives.join(snapshot.select(is_new.sum().alias("models")), how="cross").select(
        (pl.col("derivatives") / pl.col("models")).alias("share")
    )


FAMILY_SHARES = Table(
    group="shares",
    name="family_shares",
    grain="level and family",
    description=(
        "Families of models: a root with everything that derives from it, by root repository and by the organisation "
        "behind the root. A derivative of several roots counts in each family by its weight, so that families add up "
        "to the derivatives and downloads there are. At the level of repositories only roots that have derivatives "
        "are families; at the level of organisations everything is in one."
    ),
    columns=(
        MONTH,
        Column("level", pl.String, "`root_model` or `root_organization`.", values=LEVELS),
        Column("family", pl.String, "The root's `model_id`, or the root's organisation."),
        Column("organization", pl.String, "The organisation behind the root."),
        Column(
            "country",
            pl.String,
            "The country of that organisation, or a member that is no country.",
            pattern=COUNTRY_PATTERN,
        ),
        _NEW_DERIVATIVES,
        *(
            Column(f"new_{relation}", pl.Float64, f"New derivatives by relation {relation}.", "repositories")
            for relation in RELATIONS
        ),
        _DERIVATIVES,
        _NEW_DERIVATIVES_IN_ALL,
        _SHARE_OF_NEW,
        Column("downloads", DECIMAL, "Downloads of roots and derivatives in the month.", "downloads"),
        Column("downloads_derivatives", DECIMAL, "Of these, downloads of derivatives.", "downloads"),
        Column("downloads_quantized", DECIMAL, "Of these, downloads of quantised derivatives.", "downloads"),
    ),
    key=("level", "family"),
    may_be_empty=True,
    warnings=(
        "A derivative whose parents stand in different relations counts under each by its part of the parents.",
        "Rows of the two levels describe the same downloads: choose one before adding up.",
    ),
    measures=(
        # Habits of publishing change by a few points a month; a tenth at once is a source that lost or gained a column.
        Measure(
            "derivative_share_of_new_models_change",
            "By how much the derivatives' part of the month's new models differs from the month before.",
            change_of_derivative_share,
            maximum=0.10,
            severity="warning",
        ),
    ),
    rules=(
        Rule(
            "new_derivatives_conserved",
            "On each level the families' new derivatives add up to the new derivatives there are.",
            lambda frames: not_conserved(frames.scan("shares/family_shares"), ["level"]),
        ),
        Rule(
            "relations_add_up",
            "A family's new derivatives are those of its relations together.",
            lambda frames: frames.scan("shares/family_shares").filter(
                (pl.sum_horizontal(f"new_{relation}" for relation in RELATIONS) - pl.col("new_derivatives")).abs()
                > 1e-6
            ),
        ),
    ),
    made_of={
        **_MADE_OF,
        "family": (
            *columns_of("lineage/origin_weights", "root_model_id"),
            *columns_of("lineage/model_lineage", "root_model_id"),
            *ANY_ORGANIZATION,
        ),
        "organization": ANY_ORGANIZATION,
        "country": ANY_COUNTRY,
        **{f"new_{relation}": (*WEIGHTED, *_CREATED, *_BY_RELATION) for relation in RELATIONS},
        "downloads_derivatives": (*MEASURED, *WEIGHTED),
        "downloads_quantized": (*MEASURED, *WEIGHTED, *_BY_RELATION),
    },
)

DERIVATION_FLOWS = Table(
    group="shares",
    name="derivation_flows",
    grain="country of the root and country of the derivative",
    description=(
        "Who builds on whom: derivatives by the country of the organisation behind their roots and the country of "
        "their own developer. A derivative of several roots is split by its weights."
    ),
    columns=(
        MONTH,
        Column(
            "base_country",
            pl.String,
            "Country behind the root, or a member that is no country.",
            pattern=COUNTRY_PATTERN,
        ),
        Column(
            "derivative_country",
            pl.String,
            "Country of the derivative's developer, or a member that is no country.",
            pattern=COUNTRY_PATTERN,
        ),
        _NEW_DERIVATIVES,
        _DERIVATIVES,
        _NEW_DERIVATIVES_IN_ALL,
        _SHARE_OF_NEW,
        Column("downloads", DECIMAL, "Downloads of the derivatives in the month.", "downloads"),
    ),
    key=("base_country", "derivative_country"),
    may_be_empty=True,
    rules=(
        Rule(
            "new_derivatives_conserved",
            "The flows' new derivatives add up to the new derivatives there are.",
            lambda frames: not_conserved(frames.scan("shares/derivation_flows"), ["month"]),
        ),
    ),
    made_of={
        **_MADE_OF,
        "base_country": ANY_COUNTRY,
        "derivative_country": columns_of("attribution/model_attribution", "country"),
    },
)


def not_conserved(shares: pl.LazyFrame, group: list[str]) -> pl.LazyFrame:
    """Groups whose new derivatives do not add up to the stated whole, to a millionth of it."""
    whole = pl.col("new_derivatives_in_all")
    return (
        shares.group_by(group)
        .agg(pl.col("new_derivatives").sum(), whole.max())
        .filter((pl.col("new_derivatives") - whole).abs() > 1e-6 * pl.max_horizontal(whole, 1))
    )


TABLES = (FAMILY_SHARES, DERIVATION_FLOWS)
