"""The Hub's tasks by what they are about."""

from __future__ import annotations

from importlib.resources import files

import polars as pl


def language_tasks() -> list[str]:
    """The tasks of text and vision-language models: the population `language_models`."""
    text = files("pipeline.reference").joinpath("language_tasks.csv").read_bytes()
    return pl.read_csv(text, columns=["task"])["task"].to_list()
