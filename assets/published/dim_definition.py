"""`dim_definition`: the words of the share tables, each value with what it means."""

from collections.abc import Iterator

import polars as pl

from assets.published.headline import DEFINITION, DEFINITION_OF_FAMILIES
from pipeline.reference.countries import MEMBER_NAMES
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable
from pipeline.schema.shares import POPULATIONS

_MEANINGS = {
    "headline": {
        "headline_country": DEFINITION,
        "headline_organization": DEFINITION,
        "headline_family": DEFINITION_OF_FAMILIES,
    },
    "period": {
        "month": "The month alone.",
        "trailing_12_months": "The twelve months that end with `month`.",
        "year_to_date": "From January to `month`.",
        "cumulative": "From the first published month to `month`.",
    },
    "attribution": {
        "uploader": "Downloads belong to the account that published the repository.",
        "origin": "Downloads of a derivative belong to the models that it goes back to, by weight.",
    },
    "basis": {
        "all_time_delta": "Downloads are differences of the Hub's cumulative counters.",
        "rolling_30d": "Downloads are estimated from the Hub's counters of 30 days.",
        "mixed": "The period's months differ.",
    },
    "quality": {
        "exact": "95 % of the counters at both boundaries are known within 36 hours of them.",
        "scaled": "Counters were observed farther from a boundary, and their downloads are scaled to the month.",
        "estimated": "Downloads are estimated from counters of 30 days.",
        "mixed": "The period's months differ.",
    },
    "method": {
        "registry": "The reviewed registry has the account.",
        "canonical_models": "The reviewed list has the model, whose name has no account.",
        "account": "The Hub says that the account is a person's.",
        "unmapped": "An organisation's account that is not in the registry.",
    },
    "share": {
        "share": "`downloads` / `denominator`; nothing is left out of the denominator.",
        "share_low": "The share if none of the downloads of members not known were this one's.",
        "share_high": "The share if all of the downloads of members not known were this one's.",
        "share_of_attributed": "`downloads` / the denominator without members not known and without persons.",
        "coverage": "The part of the denominator whose member is known.",
    },
}


def _rows() -> Iterator[tuple[str, str, str]]:
    for term, meanings in _MEANINGS.items():
        yield from ((term, value, meaning) for value, meaning in meanings.items())
    yield from (("population", population.name, f"Of {population.meaning}.") for population in POPULATIONS)
    yield from (("member", member, f"{name}.") for member, name in MEMBER_NAMES.items())


DIM_DEFINITION = PublishedTable(
    Table(
        group="published",
        name="dim_definition",
        grain="term and value",
        description="What the values of `period`, `population`, `attribution`, `basis` and other words mean.",
        columns=(
            Column("term", pl.String, "The column or group of tables that is explained."),
            Column("value", pl.String, "The value, or the table's name."),
            Column("meaning", pl.String, "What it means, in a sentence."),
        ),
        key=("term", "value"),
        monthly=False,
    ),
    lambda _: pl.LazyFrame(list(_rows()), schema=["term", "value", "meaning"], orient="row"),
)
