"""What the marts count: every repository of the month with its downloads, its developer and what it is.

The Hub's own words are brought to the census' by the reviewed lists of `pipeline.reference.attributes`; what they
become is declared in `pipeline.tables.attributes`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.reference.attributes import AttributeWords
from pipeline.tables.attributes import DERIVATION, FORMAT, LICENCES, MODALITIES, NUMERIC_FORMATS
from pipeline.transform.alignment import beside
from pipeline.transform.sums import coded

MOST_PARAMETERS = 10**13
"""A stated size beyond this is a fault, not a model."""

_BEGINNING = r"(?:^|[-_./])"
_END = r"(?:[-_.]|$)"
_SIZE_IN_NAME = r"(?:^|[-_. ])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([mbt])(?:[-_. ]|$)"
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_FORMATS_IN_NAME = {
    "gguf": r"gguf",
    "mlx": rf"{_BEGINNING}mlx{_END}",
    "4_bit_and_below": rf"{_BEGINNING}(?:gptq|awq|exl[23]|(?:n|nv|mx)?fp?4|aqlm|hqq|int[234]|w4a\d+|bnb-4|[234]-?bit)",
    "8_bit": rf"{_BEGINNING}(?:int8|fp8|w8a\d+|8-?bit)",
}
"""How names state the numeric format: words at the beginning or after a hyphen, underscore or full stop."""
_MARKS_IN_NAME = _FORMATS_IN_NAME | {"moe": rf"\dx\d+(?:\.\d+)?b|[-_]a\d+(?:\.\d+)?b{_END}|{_BEGINNING}moe{_END}"}
_ANY_MARK = rf"(?i){'|'.join(_MARKS_IN_NAME.values())}"
"""Holds for every id whose name has one of the marks, and for few others: most names are read only once."""
_MARKS = (*NUMERIC_FORMATS, "moe", "data")
_Marked = dict[str, npt.NDArray[np.bool_]]
"""Which repositories have each of `_MARKS`: a numeric format, mixture of experts (`moe`), named training data."""
_TRAINING_DATA = "dataset:"


def counted_models(
    snapshot: pl.LazyFrame,
    downloads: pl.LazyFrame,
    attribution: pl.LazyFrame,
    derivations: pl.LazyFrame,
    words: AttributeWords,
) -> pl.DataFrame:
    """One row per repository of the month, in the order of `downloads`.

    Frames are `listings/hub_snapshots`, `listings/model_downloads`, `attribution/model_attribution` and
    `lineage/derivations`.

    Returns:
        `hub_id, downloads, created_at, namespace, organization, country, kind`, the populations, what
        `_traits` adds, and of the first declared parent `relation` and `parent_model_id` (null without one).
    """
    first_parents = derivations.filter(pl.col("position") == 0).select(
        pl.col("child_hub_id").alias("hub_id"), pl.col("relation").cast(DERIVATION), "parent_model_id"
    )
    counted, developers, parents = pl.collect_all(
        [
            downloads.select(
                "month",
                "hub_id",
                pl.col("downloads").cast(pl.Float64),
                "basis",
                "is_new",
                "is_language_model",
                "is_flagged",
                "created_at",
            ),
            attribution.select("hub_id", "namespace", "organization", "country", "kind"),
            first_parents,
        ]
    )
    countries = pl.Enum(developers["country"].drop_nulls().unique().sort())
    developers = developers.with_columns(pl.col("country").cast(countries))
    for more in (developers, _traits(snapshot, words), parents):
        counted = beside(counted, more)
    return counted


def _traits(snapshot: pl.LazyFrame, words: AttributeWords) -> pl.DataFrame:
    """What each repository is.

    Columns `hub_id, model_id, downloads_all_time, gated, licence, modality, parameters, numeric_format,
    is_mixture_of_experts, names_training_data`; the format is null where nothing states one.
    """
    described = snapshot.select(
        "hub_id",
        "model_id",
        "downloads_all_time",
        "gated",
        "license",
        "pipeline_tag",
        "safetensors_parameters",
        "gguf_parameters",
        *((pl.col("library_name") == name).fill_null(value=False).alias(f"{name}_library") for name in ("gguf", "mlx")),
    )
    rows, in_tags = pl.collect_all([described, _marks_in_tags(snapshot, words)])
    marked = _marked(rows.height, in_tags)
    _add_names(marked, rows["model_id"])
    marked["gguf"] |= (rows["gguf_library"] | rows["gguf_parameters"].is_not_null()).to_numpy()
    marked["mlx"] |= rows["mlx_library"].to_numpy()
    return rows.select(
        "hub_id",
        "model_id",
        "downloads_all_time",
        "gated",
        _in_words(rows["license"], words.licences, LICENCES, absent="none", other="custom").alias("licence"),
        _in_words(rows["pipeline_tag"], words.modalities, MODALITIES, absent="unknown", other="other").alias(
            "modality"
        ),
        _parameters(rows, words).alias("parameters"),
        _first_format(marked).alias("numeric_format"),
        pl.Series("is_mixture_of_experts", marked["moe"]),
        pl.Series("names_training_data", marked["data"]),
    )


def _in_words(
    said: pl.Series, words: Mapping[str, str], members: tuple[str, ...], *, absent: str, other: str
) -> pl.Series:
    """What the words stand for, each distinct word looked up once."""
    distinct, code = coded(said)
    meanings = distinct.str.to_lowercase().replace_strict(words, default=other, return_dtype=pl.String)
    return meanings.append(pl.Series([absent])).cast(pl.Enum(members)).gather(code.fill_null(len(distinct)))


def _marks_in_tags(snapshot: pl.LazyFrame, words: AttributeWords) -> pl.LazyFrame:
    """The marks that tags state: `row` of the snapshot, and the mark as `tags`."""
    mark_of = {**words.numeric_formats} | dict.fromkeys(words.expert_architectures, "moe")
    listed = pl.col("tags").is_in(list(mark_of))
    return (
        snapshot.select(pl.int_range(pl.len()).alias("row"), "tags")
        .explode("tags")
        .filter(listed | pl.col("tags").str.starts_with(_TRAINING_DATA))
        .select("row", pl.col("tags").replace_strict(mark_of, default="data", return_dtype=pl.Enum(_MARKS)))
    )


def _marked(size: int, in_tags: pl.DataFrame) -> _Marked:
    marked = {mark: np.zeros(size, bool) for mark in _MARKS}
    for mark, has in marked.items():
        has[in_tags.filter(pl.col("tags") == mark)["row"].to_numpy()] = True
    return marked


def _add_names(marked: _Marked, model_ids: pl.Series) -> None:
    candidates = model_ids.str.contains(_ANY_MARK).arg_true()
    names = _names(model_ids.gather(candidates))
    for mark, pattern in _MARKS_IN_NAME.items():
        marked[mark][candidates.filter(names.str.contains(pattern)).to_numpy()] = True


def _names(model_ids: pl.Series) -> pl.Series:
    return model_ids.str.replace(r"^[^/]+/", "").str.to_lowercase()


def _first_format(marked: _Marked) -> pl.Series:
    place = np.full(len(marked["data"]), len(NUMERIC_FORMATS))
    for number, name in reversed(list(enumerate(NUMERIC_FORMATS))):
        place[marked[name]] = number
    return pl.Series([*NUMERIC_FORMATS, None], dtype=FORMAT).gather(place)


def _parameters(rows: pl.DataFrame, words: AttributeWords) -> pl.Series:
    """The size as corrected, else as safetensors, GGUF or, where neither says so, the name states it."""
    stated = rows.select(
        pl.coalesce(
            pl.col("model_id").replace_strict(words.sizes, default=None, return_dtype=pl.Int64),
            _plausible(pl.col("safetensors_parameters")),
            _plausible(pl.col("gguf_parameters")),
        )
    ).to_series()
    unstated = stated.is_null().arg_true()
    return stated.scatter(unstated, _sizes_in_names(_names(rows["model_id"].gather(unstated))))


def _sizes_in_names(names: pl.Series) -> pl.Series:
    """The first size in each name; names share few ways to write one, so each is understood once."""
    written, code = coded(names.str.extract_all(_SIZE_IN_NAME).list.first())
    parts = pl.col("written").str.extract_groups(_SIZE_IN_NAME)
    sizes = (
        written.alias("written")
        .to_frame()
        .select(
            parts.struct[0].cast(pl.Float64).fill_null(1.0)
            * parts.struct[1].cast(pl.Float64)
            * parts.struct[2].replace_strict(_UNITS, default=None, return_dtype=pl.Float64)
        )
    )
    return sizes.select(_plausible(pl.first().cast(pl.Int64))).to_series().gather(code)


def _plausible(stated: pl.Expr) -> pl.Expr:
    return pl.when(stated.is_between(1, MOST_PARAMETERS)).then(stated)
