"""Months of a few repositories: what the tables before `models/models` say of them, and what it makes of that."""

from datetime import UTC, date, datetime
from decimal import Decimal

from assets.attribution.model_attribution import MODEL_ATTRIBUTION, ROOT_ATTRIBUTION
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.model_lineage import MODEL_LINEAGE
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from assets.models.models import MODELS, models_of
from pipeline.schema.declaration import conform
from tests.assets.rows import rows_of

AUGUST = date(2025, 8, 1)
USUAL = {
    "month": AUGUST,
    "downloads": Decimal(1),
    "basis": "all_time_delta",
    "is_new": True,
    "is_language_model": True,
    "is_flagged": False,
    "created_at": datetime(2025, 8, 5, tzinfo=UTC),
    "organization": "Alibaba",
    "country": "CN",
    "kind": "company",
    "method": "registry",
}


def on(day, month=8):
    """Created on that day of 2025."""
    return {"created_at": datetime(2025, month, day, 12, tzinfo=UTC)}


def models(*repositories, opened_at=None):
    """`models/models` of these repositories, each a dictionary of what is not usual, as the lake would hold it.

    `parents` are names with relations, in order of trust; whose they are is said by `organizations`, by namespace.
    """
    listed = []
    for number, repository in enumerate(repositories):
        name = repository.get("model_id", f"Qwen/model-{number}")
        namespace = name.split("/")[0] if "/" in name else None
        known = {"hub_id": f"{number:04d}", "model_id": name, "namespace": namespace, "root_model_id": name}
        listed.append(USUAL | known | {"parents": {}} | repository)
    edges = [
        {"child_hub_id": row["hub_id"], "child_model_id": row["model_id"], "position": position}
        | {"parent_model_id": parent, "relation": relation}
        for row in listed
        for position, (parent, relation) in enumerate(row["parents"].items())
    ]
    roots = [
        {"root_model_id": name, "namespace": name.split("/")[0], "organization": f"Owner of {name.split('/')[0]}"}
        for name in sorted({edge["parent_model_id"] for edge in edges} - {row["model_id"] for row in listed})
    ]
    made = models_of(
        downloads=rows_of(MODEL_DOWNLOADS, listed),
        snapshot=rows_of(HUB_SNAPSHOTS, listed),
        attribution=rows_of(MODEL_ATTRIBUTION, listed),
        root_attribution=rows_of(ROOT_ATTRIBUTION, roots),
        lineage=rows_of(MODEL_LINEAGE, [row | {"is_derivative": bool(row["parents"])} for row in listed]),
        derivations=rows_of(DERIVATIONS, edges),
        opening=rows_of(OPENING_COUNTERS, [{"hub_id": "0", "observed_at": opened_at}] if opened_at else []),
    )
    return conform(made.lazy(), MODELS).collect()
