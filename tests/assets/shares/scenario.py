"""Months of models as the marts read them: `models/models`, the weights of derivatives, and whose their roots are."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import polars as pl
from hypothesis import strategies as st

from assets.attribution.model_attribution import ROOT_ATTRIBUTION
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from assets.shares.members import developers
from assets.shares.share_table import member_shares
from tests.assets.models import scenario
from tests.assets.models.scenario import AUGUST
from tests.assets.rows import rows_of

COUNTRIES = ("CN", "US", "FR", "international", "unaffiliated", "unmapped")
USUAL = scenario.USUAL | {
    "is_derivative": False,
    "is_first_party": False,
    "is_release": True,
    "licence": "none",
    "modality": "unknown",
    "is_mixture_of_experts": False,
    "names_training_data": False,
    **{f"{relation}_parents": 0 for relation in ("finetune", "adapter", "merge", "quantized", "unknown")},
}


@dataclass(frozen=True)
class Month:
    """The three tables that marts are made of."""

    models: pl.LazyFrame
    weights: pl.LazyFrame
    roots: pl.LazyFrame

    @property
    def by_origin(self):
        """What a mart by origin is called with."""
        return self.models, self.weights, self.roots


def month_of(*models, month=AUGUST, owners=None):
    """A month of models, each a dictionary of what is not usual; one that has `roots` (weights by name) derives.

    A root belongs to the organisation and country of the model of its name; others to those in `owners`, by name.
    """
    rows = []
    for number, model in enumerate(models):
        given = {
            "month": month,
            "hub_id": f"{number:03d}",
            "model_id": f"maker/m{number}",
            "namespace": "maker",
        } | model
        known = USUAL | {"is_derivative": bool(model.get("roots")), "root_model_id": given["model_id"]} | given
        if known["is_derivative"] and not any(name.endswith("_parents") for name in model):
            known |= {"finetune_parents": 1, "relation": "finetune"}
        rows.append(known | {"organization": given.get("organization", f"The {known['country']}")})
    listed = {row["model_id"]: row for row in rows}
    names = sorted({root for row in rows for root in row.get("roots", {})})
    owned = {name: (row["organization"], row["country"]) for name, row in listed.items()} | (owners or {})
    weights = [
        {"month": month, "hub_id": row["hub_id"], "root_model_id": root, "weight": Decimal(str(weight))}
        | {"root_hub_id": listed.get(root, {}).get("hub_id"), "origin_rule": "equal_parts"}
        for row in rows
        for root, weight in row.get("roots", {}).items()
    ]
    roots = [
        {"root_model_id": name, "organization": owned[name][0], "country": owned[name][1], "method": "registry"}
        for name in names
        if name in owned
    ]
    return Month(rows_of(MODELS, rows), rows_of(ORIGIN_WEIGHTS, weights), rows_of(ROOT_ATTRIBUTION, roots))


def shares_in(month, dimension="country"):
    """The month's shares of a dimension of developers."""
    return member_shares(month.models, developers(*month.by_origin), dimension)


ROOTS = {f"root/{country}": (f"The {country}", country) for country in COUNTRIES}
"""Roots that are not listed, one in each country."""
UNITS = 10**12


@st.composite
def weights(draw):
    """Weights over some roots that sum to one to the last digit, as lineage gives them."""
    names = draw(st.lists(st.sampled_from(sorted(ROOTS)), unique=True, max_size=4))
    cuts = st.lists(st.integers(1, UNITS - 1), unique=True, min_size=len(names) - 1, max_size=len(names) - 1)
    ends = [0, *sorted(draw(cuts)), UNITS] if names else []
    return {name: Decimal(high - low) / UNITS for name, (low, high) in zip(names, pairwise(ends), strict=True)}


AMOUNTS = st.integers(0, 10**15).map(lambda millionths: Decimal(millionths) / 10**6)
WORLDS = st.lists(
    st.fixed_dictionaries(
        {
            "country": st.sampled_from(COUNTRIES),
            "downloads": AMOUNTS,
            "is_new": st.booleans(),
            "is_language_model": st.booleans(),
            "is_flagged": st.booleans(),
            "licence": st.sampled_from(["permissive", "custom", "none"]),
            "parameters": st.sampled_from([None, 10**8, 7 * 10**9]),
            "created_at": st.sampled_from([None, datetime(2025, 8, 3, tzinfo=UTC), datetime(2025, 7, 3, tzinfo=UTC)]),
            "roots": weights(),
        }
    ),
    min_size=1,
    max_size=15,
)
"""Models of any country, population and origin."""
