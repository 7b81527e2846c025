"""The groups of tables, in the order in which a month passes through them."""

CHAIN = {
    "listings": "docs/methodology.md#downloads-in-a-month",
    "lineage": "docs/methodology.md#derivations",
    "attribution": "docs/methodology.md#who-made-it",
    "models": "docs/methodology.md#what-the-models-are",
    "shares": "docs/methodology.md#shares",
    "published": "docs/adr/0001-manifests-decide-what-is-published.md",
}
"""Each group with the place in the repository where its method is explained."""
STEPS = ("downloads", *(group for group in CHAIN if group not in {"listings", "published"}))
"""Where a month can be begun again without reading a Hub; `downloads` is what the listings are counted into."""
