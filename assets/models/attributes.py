"""What a repository is, read from what its uploader says: licence, modality, size, numeric format, and so on.

The Hub's own words are brought to the census' by the reviewed lists of `pipeline.reference.lists`.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from assets.columns import boolean, count
from pipeline.reference.lists import AttributeWords
from pipeline.schema.declaration import Column

LICENCES = ("permissive", "copyleft", "use_restricted", "non_commercial", "custom", "none")
MODALITIES = ("text", "image", "audio", "video", "video_generation", "multimodal", "other", "unknown")
NUMERIC_FORMATS = ("gguf", "mlx", "4_bit_and_below", "8_bit")
"""Formats that names and tags state, the telling ones first: what is both is the first."""

COLUMNS = (
    Column("licence", pl.Enum(LICENCES), "Class of the declared licence, by `reference/licences.csv`."),
    Column("modality", pl.Enum(MODALITIES), "What goes in and comes out, by the Hub's task and `modalities.csv`."),
    count("parameters", "As corrected, else by safetensors, GGUF or name.", "parameters", nullable=True, minimum=1),
    Column("numeric_format", pl.Enum(NUMERIC_FORMATS), "Format that name, tags or files state.", nullable=True),
    boolean("is_mixture_of_experts", "Whether name or tags say so; false is no proof."),
    boolean("names_training_data", "Whether a tag names a data set."),
)

MOST_PARAMETERS = 10**13
"""A stated size beyond this is a fault, not a model."""

_BEGINNING = r"(?:^|[-_./])"
_END = r"(?:[-_.]|$)"
_SIZE_IN_NAME = r"(?:^|[-_. ])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([mbt])(?:[-_. ]|$)"
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_MARKS_IN_NAME = {
    "gguf": r"gguf",
    "mlx": rf"{_BEGINNING}mlx{_END}",
    "4_bit_and_below": rf"{_BEGINNING}(?:gptq|awq|exl[23]|(?:n|nv|mx)?fp?4|aqlm|hqq|int[234]|w4a\d+|bnb-4|[234]-?bit)",
    "8_bit": rf"{_BEGINNING}(?:int8|fp8|w8a\d+|8-?bit)",
    "is_mixture_of_experts": rf"\dx\d+(?:\.\d+)?b|[-_]a\d+(?:\.\d+)?b{_END}|{_BEGINNING}moe{_END}",
}
"""How names state a format or a mixture of experts: at the beginning or after a hyphen, underscore or full stop."""
_ANY_MARK = rf"(?i){'|'.join(_MARKS_IN_NAME.values())}"
"""Holds for every id whose name has one of the marks, and for few others: most names are read only once."""
_FLAGS = tuple(column.name for column in COLUMNS if column.type == pl.Boolean)
_MARK = pl.Enum((*NUMERIC_FORMATS, *_FLAGS))


def model_attributes(snapshot: pl.LazyFrame, words: AttributeWords) -> pl.DataFrame:
    """`hub_id` and `COLUMNS` of every repository of `listings/hub_snapshots`, in its order."""
    rows = snapshot.with_row_index("row")
    mark = pl.col("mark")
    marks = (
        pl.concat(_marks(rows, words))
        .group_by("row")
        .agg(
            mark.filter(mark.is_in(NUMERIC_FORMATS)).min().cast(pl.String).alias("numeric_format"),
            *((mark == flag).any().alias(flag) for flag in _FLAGS),
        )
    )
    return (
        rows.select(
            "row",
            "hub_id",
            _class_of("license", words.licences, absent="none", other="custom").alias("licence"),
            _class_of("pipeline_tag", words.modalities, absent="unknown", other="other").alias("modality"),
            _stated_size(words).alias("stated"),
        )
        .join(_sizes_in_names(rows.filter(_stated_size(words).is_null())), on="row", how="left", maintain_order="left")
        .join(marks, on="row", how="left", maintain_order="left")
        .with_columns(pl.coalesce("stated", "named").alias("parameters"), pl.col(_FLAGS).fill_null(value=False))
        .select("hub_id", *(pl.col(column.name).cast(column.type) for column in COLUMNS))
        .collect(engine="streaming")
    )


def _class_of(column: str, words: Mapping[str, str], *, absent: str, other: str) -> pl.Expr:
    said = pl.col(column).str.to_lowercase()
    known = said.replace_strict(words, default=other, return_dtype=pl.String)
    return pl.when(said.is_null()).then(pl.lit(absent)).otherwise(known)


def _marks(rows: pl.LazyFrame, words: AttributeWords) -> Iterator[pl.LazyFrame]:
    """`row` and `mark` (a format or one of `_FLAGS`) wherever one is stated: in tags, name or files."""
    of_tag = {**words.numeric_formats, **dict.fromkeys(words.expert_architectures, "is_mixture_of_experts")}
    tag, library = pl.col("tags"), pl.col("library_name")
    mark = tag.replace_strict(of_tag, default="names_training_data", return_dtype=_MARK)
    tags = rows.select("row", "tags").explode("tags")
    yield tags.filter(tag.is_in(list(of_tag)) | tag.str.starts_with("dataset:")).select("row", mark=mark)
    name = _name().alias("name")
    in_name = [
        pl.when(pl.col("name").str.contains(pattern)).then(pl.lit(mark, _MARK))
        for mark, pattern in _MARKS_IN_NAME.items()
    ]
    telling = rows.filter(pl.col("model_id").str.contains(_ANY_MARK)).select("row", name)
    yield telling.select("row", mark=pl.concat_list(in_name)).explode("mark").drop_nulls("mark")
    yield rows.filter(library.is_in(["gguf", "mlx"])).select("row", mark=library.cast(_MARK))
    yield rows.filter(pl.col("gguf_parameters").is_not_null()).select("row", mark=pl.lit("gguf", _MARK))


def _name() -> pl.Expr:
    return pl.col("model_id").str.replace(r"^[^/]+/", "").str.to_lowercase()


def _stated_size(words: AttributeWords) -> pl.Expr:
    return pl.coalesce(
        pl.col("model_id").replace_strict(words.sizes, default=None, return_dtype=pl.Int64),
        _plausible(pl.col("safetensors_parameters")),
        _plausible(pl.col("gguf_parameters")),
    )


def _sizes_in_names(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`row` and `named`, the first size in the name; an absurd one is none."""
    parts = pl.col("name").str.extract_groups(_SIZE_IN_NAME)
    size = (
        parts.struct[0].cast(pl.Float64).fill_null(1.0)
        * parts.struct[1].cast(pl.Float64)
        * parts.struct[2].replace_strict(_UNITS, default=None, return_dtype=pl.Float64)
    )
    named = rows.select("row", _name().alias("name")).select("row", size.cast(pl.Int64).alias("named"))
    return named.filter(_plausible(pl.col("named")).is_not_null())


def _plausible(stated: pl.Expr) -> pl.Expr:
    return pl.when(stated.is_between(1, MOST_PARAMETERS)).then(stated)
