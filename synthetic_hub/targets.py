"""What the world is calibrated to, declared once: the published figures, and the monthly profiles that plant them.

`targets.csv` has a row for each published figure: as its source states it, and as it is planted (empty where the world
does not reproduce it), both in percent. Where figures exclude one another, `how` says which gave way.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_hub.timeline import BOUNDARIES, MONTHS, Floats, month_number

LANGUAGE_TASKS = frozenset(
    [
        "text-generation", "text2text-generation", "image-text-to-text", "visual-question-answering", "fill-mask",
        "text-classification", "token-classification", "question-answering", "summarization", "translation",
        "conversational", "sentence-similarity", "feature-extraction", "zero-shot-classification", "video-text-to-text",
        "any-to-any", "text-ranking",
    ]
)  # fmt: skip
"""Tasks of the population `language`: text and vision-language models."""

NEW_MODEL_DAYS = 365
"""A model is new in a month when it is at most this old at the month's close."""


@cache
def published_figures() -> pl.DataFrame:
    """Grain: published figure. Columns `name, published, planted, source, how`."""
    return pl.read_csv(Path(__file__).with_name("targets.csv"))


HUB_DOWNLOADS_PER_DAY = (46, 47, 49, 51, 53, 56, 60, 72.3, 59.2, 58.6, 56.6, 59.5, 59.7, 59.9)
"""Millions a day by month for a world of 20,000 repositories; from March 2025 the Hub's own figures."""

NEW_SHARE = (22, 22, 23, 23, 24, 25, 26, 27, 28, 28, 29, 30, 31, 32)
"""Percent of a month's downloads that new models take."""

DERIVATIVE_SHARE = (30, 31, 32, 33, 34, 35, 36, 37, 38, 40, 41, 42, 43, 43)
"""Percent of a month's downloads that derivatives take."""

PROFILES = {
    "CN": (
        "china_share_new_trailing_12_2025_08",
        (14.0, 14.2, 14.4, 14.6, 14.9, 15.2, 15.9, 16.1, 16.3, 16.3, 16.7, 20.8, 24.0, 25.0),
    ),
    "US": (
        "usa_share_new_trailing_12_2025_08",
        (17.4, 17.3, 17.2, 17.1, 17.0, 16.9, 16.8, 16.7, 16.6, 16.6, 16.4, 13.1, 11.2, 10.8),
    ),
    "international": ("international_share_new_trailing_12_2025_08", (23.8,) * 14),
}
"""Members with a published share of the population new: its name, and the shape of its months."""
TRAILING_YEAR = slice(1, 13)
"""The places of 2024-09 to 2025-08 among the months."""

OTHER_NEW_SHARES = {
    "unaffiliated": 20.0, "unmapped": 7.0, "FR": 4.4, "DE": 3.4, "GB": 2.2, "KR": 1.4, "JP": 1.2, "SG": 1.2, "CA": 0.6,
    "IL": 0.5, "AE": 0.3, "IN": 0.3, "CH": 0.2, "RU": 0.2, "FI": 0.1, "IT": 0.1, "ES": 0.1, "NL": 0.1, "NO": 0.1,
    "SE": 0.1, "VN": 0.1, "PL": 0.1, "TW": 0.1, "BG": 0.1,
}  # fmt: skip
"""Relative shares of the remaining members, population new."""

OLD_SHARES = {
    "US": 50.0, "DE": 13.0, "CN": 8.0, "international": 7.0, "unaffiliated": 9.0, "unmapped": 5.0, "FR": 2.2, "GB": 2.0,
    "FI": 0.8, "KR": 0.5, "JP": 0.5, "CA": 0.4, "IL": 0.4, "RU": 0.3, "AE": 0.2, "IN": 0.2, "SG": 0.1, "CH": 0.05,
    "IT": 0.1, "ES": 0.1, "NL": 0.05, "NO": 0.05, "SE": 0.05, "VN": 0.05, "PL": 0.05, "TW": 0.05, "BG": 0.05,
}  # fmt: skip
"""Relative shares of the models that are no longer new."""

DERIVATIVE_LEANING = {"unaffiliated": 0.9, "unmapped": 0.6, "international": 0.8, "SG": 0.9, "CN": 0.4, "US": 0.35}
"""How much of a member's downloads its derivatives take, before all are scaled to the month's share of derivatives."""
OTHER_DERIVATIVE_LEANING = 0.3
OLD_DERIVATIVE_LEANING = 0.3
"""The same for old models, as a factor."""

GIANT = "sentence-transformers/all-MiniLM-L6-v2"
BOT_BURST = "MIT/ast-finetuned-audioset-10-10-0.4593"
TEST_TRAFFIC = "trl-internal-testing/tiny-random-LlamaForCausalLM"
FIXED_SHARES: dict[str, tuple[float, ...]] = {
    GIANT: (8.0,) * 14,
    BOT_BURST: (1.0, 10.0, 3.0) + (0.5,) * 11,
    TEST_TRAFFIC: (0.6,) * 14,
}
"""Models whose percent of each month's downloads is planted by name."""
BURST_PERCENT = 2.0
"""From this percent of a month's downloads on, those of `BOT_BURST` are a bot's."""

FAMILY_QUOTAS: dict[str, tuple[float, float, float, float]] = {
    "Qwen": (2, 13, 30, 47), "DeepSeek": (0.5, 1, 10, 8), "Other China": (3, 4, 6, 8), "Llama": (30, 50, 28, 14),
    "Google": (18, 10, 9, 9), "Meta": (12, 3, 2, 1), "Mistral": (14, 8, 5, 3), "Microsoft": (4, 3, 3, 2),
    "Flux": (0.5, 4, 3, 3), "Stability": (10, 2, 2, 1), "Other": (6, 2, 2, 4),
}  # fmt: skip
"""Percent of a month's new derivatives by root family, at the months of `FAMILY_QUOTA_MONTHS`, linear between them."""
FAMILY_QUOTA_MONTHS = (date(2024, 1, 1), date(2024, 10, 1), date(2025, 4, 1), date(2025, 9, 1))


def new_country_shares(countries: list[str]) -> Floats:
    """Shares of the population new by month and country, each month summing to 1.

    China, the USA and `international` keep their profile's shape and are shifted to hit their trailing-year target.
    """
    weight = monthly_downloads(1.0) * np.array(NEW_SHARE) / 100
    weight = weight[TRAILING_YEAR] / weight[TRAILING_YEAR].sum()
    shares = np.zeros((len(MONTHS), len(countries)))
    planted = dict(published_figures().select("name", "planted").iter_rows())
    for country, (figure, profile) in PROFILES.items():
        shape = np.array(profile) / 100
        shift = planted[figure] / 100 - float(weight @ shape[TRAILING_YEAR])
        shares[:, countries.index(country)] = shape + shift
    rest = np.array([0.0 if country in PROFILES else OTHER_NEW_SHARES.get(country, 0.05) for country in countries])
    return np.asarray(shares + (1 - shares.sum(axis=1))[:, None] * rest / rest.sum())


def old_country_shares(countries: list[str]) -> Floats:
    """Shares of the models that are not new by country, summing to 1."""
    shares = np.array([OLD_SHARES.get(country, 0.05) for country in countries])
    return np.asarray(shares / shares.sum())


def monthly_downloads(scale: float) -> Floats:
    """Downloads of each month; `scale` is the number of repositories in units of 20,000."""
    days = np.array([(close - open_).days for open_, close in pairwise(BOUNDARIES)])
    return np.asarray(np.array(HUB_DOWNLOADS_PER_DAY) * 1e6 * days * scale)


def family_quotas(months: Floats) -> tuple[list[str], Floats]:
    """Root families and their shares of the new derivatives of each month (counted from January 1970)."""
    knots = [month_number(month) for month in FAMILY_QUOTA_MONTHS]
    quotas = np.array([np.interp(months, knots, points) for points in FAMILY_QUOTAS.values()]).T
    return list(FAMILY_QUOTAS), np.asarray(quotas / quotas.sum(axis=1, keepdims=True))
