"""Group `lineage`: which model was made from which."""

from __future__ import annotations

import polars as pl

from pipeline.schema.declaration import Column, Measure, Rule, Table, TableFrames
from pipeline.tables.columns import HUB_ID, MODEL_ID, MONTH, NAMESPACE, RELATION
from pipeline.tables.coverage_rules import covers_snapshot
from pipeline.tables.listings import BASE_MODEL_TAG

EVIDENCE = ("base_models", "typed_tag", "untyped_tag", "card")
"""Where a derivation was declared, in order of trust."""
FOUND_BY = ("hub_id", "name", "letter_case", "rename", "former_name", "unlisted")
"""How a parent was found, the surest way first."""
OUTCOMES = ("edge", "duplicate", "self_reference", "local_path", "url", "malformed")
"""What becomes of a declared reference."""
ORIGIN_RULES = ("equal_parts", "first_parent", "majority")
"""How a derivative can be split over its roots; the first is the census' own."""


PLACE = Column(
    "evidence", pl.String, f"Where it is declared, in order of trust: {', '.join(EVIDENCE)}.", values=EVIDENCE
)


def not_reconciled(frames: TableFrames) -> pl.LazyFrame:
    """Places of declaration where the snapshot declares more or fewer references than were counted."""
    is_declared = {
        "base_models": pl.col("base_models").explode().is_not_null(),
        "tags": pl.col("lineage_tags").explode().str.starts_with(BASE_MODEL_TAG),
        "card": pl.col("card_base_models").explode().is_not_null(),
    }
    declared = frames.scan("listings/hub_snapshots").select(
        condition.sum().cast(pl.Int64).alias(place) for place, condition in is_declared.items()
    )
    place = pl.when(pl.col("evidence").str.ends_with("_tag")).then(pl.lit("tags")).otherwise("evidence").alias("place")
    counted = frames.scan("lineage/derivation_reconciliation").group_by(place).agg(pl.col("references").sum())
    return (
        declared.unpivot(variable_name="place", value_name="declared")
        .join(counted, on="place", how="left")
        .filter(pl.col("declared").fill_null(0) != pl.col("references").fill_null(0))
    )


def share_of_rows(rows: pl.LazyFrame, condition: pl.Expr) -> pl.LazyFrame:
    """Share of rows that meet the condition, 0 where there are no rows; one cell."""
    return rows.select(condition.mean().fill_null(0.0).alias("share"))


def share_of_references(frames: TableFrames, outcomes: list[str]) -> pl.LazyFrame:
    """Share of the month's references with one of the outcomes, 0 in a month without references; one cell."""
    found = pl.col("references").filter(pl.col("outcome").is_in(outcomes)).sum()
    everything = pl.max_horizontal(pl.col("references").sum(), 1)
    return frames.scan("lineage/derivation_reconciliation").select((found / everything).alias("share"))


def wrong_roots(frames: TableFrames) -> pl.LazyFrame:
    """Roots with weights that are none, and, unless the rule passes some over, roots without weights."""
    edges = frames.scan("lineage/derivations")
    name = pl.col("parent_model_id").alias("root_model_id")
    underived = edges.join(edges, left_on="parent_hub_id", right_on="child_hub_id", how="anti").select(name)
    of_cycles = (
        frames.scan("lineage/model_lineage")
        .filter(pl.col("is_in_cycle") & (pl.col("depth_longest") == 0))
        .select("root_model_id")
    )
    roots = pl.concat([underived, of_cycles]).unique()
    weighted = frames.scan("lineage/origin_weights").select("root_model_id", "origin_rule").unique()
    rule = weighted.select(pl.col("origin_rule").first())
    not_weighted = roots.join(weighted, on="root_model_id", how="anti").join(rule, how="cross")
    return pl.concat(
        [
            weighted.join(roots, on="root_model_id", how="anti"),
            not_weighted.filter(pl.col("origin_rule") == ORIGIN_RULES[0]),
        ]
    )


def derived_roots(frames: TableFrames) -> pl.LazyFrame:
    """Derivatives, outside of cycles, that are somebody's primary root."""
    placed = frames.scan("lineage/model_lineage")
    # What derives from nothing is its own root, as a rule: these three in five need not be looked through.
    roots = placed.filter(pl.col("is_derivative") | pl.col("hub_id").ne_missing(pl.col("root_hub_id")))
    return (
        placed.filter(pl.col("is_derivative") & ~pl.col("is_in_cycle"))
        .select(pl.col("hub_id").alias("root_hub_id"))
        .join(roots.select("root_hub_id").unique(), on="root_hub_id", how="semi")
    )


DERIVATIONS = Table(
    group="lineage",
    name="derivations",
    grain="derivative and direct parent",
    description=(
        "Direct derivations as developers declare them: from the Hub's `baseModels`, typed tags, untyped tags and "
        "model cards, in that order of trust. Parents are kept whether or not they are listed."
    ),
    columns=(
        MONTH,
        Column("child_hub_id", pl.String, "The derivative, by `hub_id`."),
        Column("child_model_id", pl.String, "The derivative's name."),
        Column("parent_hub_id", pl.String, "The parent, by `hub_id`; absent where it is not listed.", nullable=True),
        Column("parent_model_id", pl.String, "The parent's name: today's if it is listed, else as declared."),
        RELATION,
        Column("relation_declared", pl.String, "The relation in the declarer's words.", nullable=True),
        PLACE,
        Column("parent_listed", pl.Boolean, "Whether the parent is a public repository of this snapshot."),
        Column(
            "parent_declared",
            pl.String,
            "The parent in the declarer's words: a name, an address, a name with a revision.",
        ),
        Column(
            "parent_found_by",
            pl.String,
            "How the parent was found: `hub_id`, exact `name`, `letter_case` (a name in other case), a reviewed "
            "`rename`, `former_name` (the Hub resolves this name to another elsewhere), or not at all (`unlisted`).",
            values=FOUND_BY,
        ),
        Column(
            "position",
            pl.Int32,
            "Place among the child's parents in order of trust and declaration, from 0.",
            minimum=0,
        ),
    ),
    key=("child_hub_id", "parent_model_id"),
    may_be_empty=True,
    warnings=("Declared is not the same as used: nobody checks what a card says.",),
    measures=(
        # The Hub states a relation for every parent that it resolves: of 1,285 real edges of May 2026, 1.1 % had none.
        # Ten times as many mean that a source carries no relations, as before typed tags (August 2024).
        Measure(
            "unknown_relation_share",
            "Share of derivations of which nobody says what kind they are.",
            lambda frames: share_of_rows(frames.scan("lineage/derivations"), pl.col("relation") == "unknown"),
            maximum=0.10,
            severity="warning",
        ),
    ),
    rules=(
        Rule(
            "parents_listed_as_stated",
            "A parent is marked as listed exactly where it is a repository of the snapshot.",
            lambda frames: (
                frames.scan("lineage/derivations")
                .select("child_hub_id", "parent_hub_id", "parent_listed")
                .join(
                    frames.scan("listings/hub_snapshots").select("hub_id", pl.lit(value=True).alias("is_there")),
                    left_on="parent_hub_id",
                    right_on="hub_id",
                    how="left",
                )
                .filter(pl.col("is_there").fill_null(value=False) != pl.col("parent_listed"))
            ),
        ),
        Rule(
            "children_listed",
            "Every derivative is a repository of the snapshot.",
            lambda frames: (
                frames.scan("lineage/derivations")
                .select("child_hub_id", "parent_model_id")
                .join(
                    frames.scan("listings/hub_snapshots").select("hub_id"),
                    left_on="child_hub_id",
                    right_on="hub_id",
                    how="anti",
                )
            ),
        ),
        Rule(
            "no_self_references",
            "No repository is its own parent.",
            lambda frames: frames.scan("lineage/derivations").filter(pl.col("child_hub_id") == pl.col("parent_hub_id")),
        ),
    ),
)

DERIVATION_RECONCILIATION = Table(
    group="lineage",
    name="derivation_reconciliation",
    grain="place of declaration and outcome",
    description="What became of every declared reference to a base model: an edge, or the reason why not.",
    columns=(
        MONTH,
        PLACE,
        Column("outcome", pl.String, f"What became of them: {', '.join(OUTCOMES)}.", values=OUTCOMES),
        Column("references", pl.Int64, "Declared references.", "references", minimum=1),
    ),
    key=("evidence", "outcome"),
    may_be_empty=True,
    measures=(
        # 0.16 % of 5,003 real references of May 2026, nearly all by accident; six times as many are a habit or a fault.
        Measure(
            "self_reference_share",
            "Share of references by which a repository names itself as its parent.",
            lambda frames: share_of_references(frames, ["self_reference"]),
            maximum=0.01,
            severity="warning",
        ),
        # None in those 5,003, and one in two thousand in the sample: at one in twenty, the published digits of the
        # derivatives' shares would depend on what was meant.
        Measure(
            "unusable_share",
            "Share of references that name no repository: local paths, addresses, malformed names.",
            lambda frames: share_of_references(frames, ["local_path", "url", "malformed"]),
            maximum=0.05,
            severity="warning",
        ),
    ),
    rules=(
        Rule(
            "every_reference_accounted",
            "Every reference that the snapshot declares, tag by tag, is an edge or is counted under its reason.",
            not_reconciled,
        ),
        Rule(
            "edges_are_derivations",
            "There are as many derivations as references that became edges.",
            lambda frames: (
                frames.scan("lineage/derivation_reconciliation")
                .filter(pl.col("outcome") == "edge")
                .select(pl.col("references").sum())
                .join(frames.scan("lineage/derivations").select(pl.len().alias("derivations")), how="cross")
                .filter(pl.col("references") != pl.col("derivations"))
            ),
        ),
    ),
)


MODEL_LINEAGE = Table(
    group="lineage",
    name="model_lineage",
    grain="public model repository at the month's close",
    description=(
        "Each repository's place in the derivation graph. Cycles count as one component, represented by its smallest "
        "`model_id`."
    ),
    columns=(
        MONTH,
        HUB_ID,
        MODEL_ID,
        Column("depth_shortest", pl.Int32, "Fewest derivations to a root; 0 for a root.", "derivations", minimum=0),
        Column(
            "depth_longest",
            pl.Int32,
            "Most derivations to a root, cycles condensed.",
            "derivations",
            minimum="depth_shortest",
        ),
        Column("root_model_id", pl.String, "The primary root, which names the family; itself for a root."),
        Column("root_hub_id", pl.String, "The primary root's `hub_id`; absent where it is not listed.", nullable=True),
        Column("roots", pl.Int32, "Number of roots.", "repositories", minimum=1),
        Column("is_derivative", pl.Boolean, "Declares at least one parent."),
        Column("is_in_cycle", pl.Boolean, "Derives from itself by way of others."),
        Column("is_orphan", pl.Boolean, "Declares parents, none of which is listed."),
    ),
    key=("hub_id",),
    measures=(
        # Some hundreds of cycles among millions of repositories were seen (0.03 %). The sample has 0.25 %, and up to
        # 0.6 % in its first months, when it is small: one in a hundred would be none of these.
        Measure(
            "cycle_share",
            "Share of repositories that derive from themselves by way of others.",
            lambda frames: share_of_rows(frames.scan("lineage/model_lineage"), pl.col("is_in_cycle")),
            maximum=0.01,
            severity="warning",
        ),
        # A twelfth of all names ever listed (256,812 beside 3.1 million) is gone; what others build on goes less often.
        # More orphans than that mean that the listing is not whole: they are 67 % in an extract of 1,036 rows.
        Measure(
            "orphan_share",
            "Share of derivatives none of whose parents is listed.",
            lambda frames: share_of_rows(
                frames.scan("lineage/model_lineage").filter("is_derivative"), pl.col("is_orphan")
            ),
            maximum=0.10,
            severity="warning",
        ),
    ),
    rules=(
        Rule(
            "roots_have_no_parents",
            "A primary root derives from nothing, unless it stands for a cycle.",
            derived_roots,
        ),
        Rule(
            "derivatives_as_declared",
            "A repository is a derivative exactly where it has a derivation.",
            lambda frames: (
                frames.scan("lineage/model_lineage")
                .select("hub_id", "is_derivative")
                .join(
                    frames.scan("lineage/derivations")
                    .select(pl.col("child_hub_id").alias("hub_id"), pl.lit(value=True).alias("has_derivation"))
                    .unique("hub_id"),
                    on="hub_id",
                    how="left",
                )
                .filter(pl.col("has_derivation").fill_null(value=False) != pl.col("is_derivative"))
            ),
        ),
        covers_snapshot(
            "every_model_placed",
            "Every repository of the snapshot has exactly one row.",
            "lineage/model_lineage",
        ),
        Rule(
            "roots_are_components_without_parents",
            "The roots are the parents that derive from nothing and one member of each cycle without parents outside.",
            wrong_roots,
        ),
        Rule(
            "every_derivative_weighted",
            "Every derivative has its weights.",
            lambda frames: (
                frames.scan("lineage/model_lineage")
                .filter(pl.col("is_derivative"))
                .select("hub_id")
                .join(frames.scan("lineage/origin_weights").select("hub_id").unique(), on="hub_id", how="anti")
            ),
        ),
    ),
)

ORIGIN_RULE = Column(
    "origin_rule",
    pl.String,
    "How derivatives are split over their roots: `equal_parts`, `first_parent` or `majority`.",
    values=ORIGIN_RULES,
)

ORIGIN_WEIGHTS = Table(
    group="lineage",
    name="origin_weights",
    grain="derivative and root",
    description=(
        "How each derivative is split over the roots it descends from, by one rule for the whole month: a child gives "
        "each parent an equal part, unless another rule was asked for. Weights are cut to 12 digits, and the rest goes "
        "to the heaviest root, so that the weights of a derivative sum to 1 to the last digit. Repositories that are "
        "roots themselves have no rows."
    ),
    columns=(
        MONTH,
        HUB_ID,
        Column("root_model_id", pl.String, "The root."),
        Column("root_hub_id", pl.String, "The root's `hub_id`; absent where it is not listed.", nullable=True),
        NAMESPACE.optional("The root's namespace."),
        Column(
            "weight",
            pl.Decimal(18, 12),
            "The root's part of the derivative, exact to its last digit.",
            "fraction",
            minimum=1e-12,
            maximum=1,
        ),
        ORIGIN_RULE,
    ),
    key=("hub_id", "root_model_id"),
    may_be_empty=True,
    rules=(
        Rule(
            "weights_sum_to_one",
            "The weights of each derivative sum to 1, to the last digit.",
            lambda frames: (
                frames.scan("lineage/origin_weights")
                .group_by("hub_id")
                .agg(pl.col("weight").sum())
                .filter(pl.col("weight") != 1)
            ),
        ),
    ),
)


TABLES = (DERIVATIONS, DERIVATION_RECONCILIATION, MODEL_LINEAGE, ORIGIN_WEIGHTS)
