"""The canonical form of what a source observes: one row per repository, whatever the source writes."""

from __future__ import annotations

import polars as pl

BASE_MODELS = pl.List(pl.Struct({"hub_id": pl.String, "model_id": pl.String}))
"""The parents that the Hub's `baseModels` states."""

OBSERVATION_SCHEMA = pl.Schema(
    {
        "hub_id": pl.String(),
        "model_id": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "downloads_30d": pl.Int64(),
        "downloads_all_time": pl.Int64(),
        "likes": pl.Int64(),
        "pipeline_tag": pl.String(),
        "library_name": pl.String(),
        "gated": pl.String(),
        "license": pl.String(),
        "safetensors_parameters": pl.Int64(),
        "gguf_parameters": pl.Int64(),
        "tags": pl.List(pl.String()),
        "base_model_relation": pl.String(),
        "base_models": BASE_MODELS,
        "card_base_models": pl.List(pl.String()),
    }
)
"""The columns of a snapshot's rows, before any interpretation. All but `model_id` may be null."""
