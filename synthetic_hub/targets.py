"""What the world is calibrated to, declared once: the published figures, and the monthly profiles that plant them.

A published figure is stated as its source states it. Where figures exclude one another, `TARGETS` says which gave way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from synthetic_hub.timeline import BOUNDARIES, MONTHS, Floats

LANGUAGE_TASKS = frozenset(
    {
        "text-generation",
        "text2text-generation",
        "image-text-to-text",
        "visual-question-answering",
        "fill-mask",
        "text-classification",
        "token-classification",
        "question-answering",
        "summarization",
        "translation",
        "conversational",
        "sentence-similarity",
        "feature-extraction",
        "zero-shot-classification",
        "video-text-to-text",
        "any-to-any",
        "text-ranking",
    }
)
"""Tasks of the population `language`: text and vision-language models."""

NEW_MODEL_DAYS = 365
"""A model is new in a month when it is at most this old at the month's close."""

STUDY = "Longpre et al. 2025, arXiv 2512.03073"
ATOM = "ATOM project, arXiv 2604.07190"


@dataclass(frozen=True)
class Target:
    """One published figure and what the world makes of it. Shares are in percent."""

    name: str
    published: float
    planted: float
    source: str
    how: str


TARGETS = (
    Target(
        "china_share_new_trailing_12_2025_08",
        17.1,
        17.1,
        STUDY,
        "uploader share of China, population new, flows of 2024-09 to 2025-08 summed; exact but for whole downloads",
    ),
    Target(
        "usa_share_new_trailing_12_2025_08",
        15.86,
        15.86,
        STUDY,
        "as for China. The crossing in summer 2025 is steep: with China ahead over the twelve months as a whole and "
        "behind in the first nine of them, it must lead by far in the last two",
    ),
    Target(
        "international_share_new_trailing_12_2025_08",
        23.8,
        23.8,
        STUDY + " (second hand)",
        "planted as the member `international`; the study's bucket also holds anonymous developers, who are "
        "`unaffiliated` here",
    ),
    Target(
        "most_downloaded_model_share",
        8.0,
        8.0,
        "sentence-transformers/all-MiniLM-L6-v2, September 2026",
        "the same share of every month's downloads, population all",
    ),
    Target(
        "qwen_share_of_new_derivatives_2025_09",
        40.0,
        47.0,
        ATOM,
        "at least 40 published; quotas of each month's new derivatives by root family, before merges split theirs",
    ),
    Target(
        "llama_share_of_new_derivatives_2024_10",
        50.0,
        50.0,
        ATOM,
        "quotas of each month's new derivatives, counted over the primary root",
    ),
    Target(
        "llama_share_of_new_derivatives_2025_09",
        15.0,
        14.0,
        ATOM,
        "published as 11 to 15. With Llama at half of autumn 2024, Qwen's derivatives to date cannot exceed Google's "
        "and Meta's together by autumn 2025: they do among the new ones of a month only",
    ),
    Target(
        "new_finetunes_on_chinese_base_2025_09",
        63.0,
        63.0,
        STUDY + " (second hand)",
        "the Chinese families' quotas of that month sum to it; fine-tunes descend from one root only",
    ),
    Target(
        "derivative_share_of_downloads_2025_09",
        43.0,
        43.0,
        "Model Pulse, September 2026",
        "population all; rises from 30 in August 2024",
    ),
)

NOT_PLANTED = {
    "qwen_derivatives_to_date_exceed_google_and_meta": "excluded by Llama's half of autumn 2024; true of each month's "
    "new derivatives from summer 2025 on",
    "top_10_100_1000_shares": "22.0, 47.2 and 78.6 percent on a Hub of millions: in a world of thousands the first "
    "hundred are a far larger part of it (the first ten come out near 22)",
    "quantised_share_of_downloads": "28 percent published; quantised models are planted as part of the derivatives",
    "model_sizes_licences_disclosure": "no figure of attributes is planted: sizes and licences are drawn without trend",
    "age_of_downloads": "a third of downloads to models of 2022 is published; only new (one year) and old are planted",
    "rolling_month_totals": "the Hub's totals before March 2025 are not published: a rise of a third is assumed",
}
"""Published figures the world does not reproduce, and why."""

HUB_DOWNLOADS_PER_DAY = (46, 47, 49, 51, 53, 56, 60, 72.3, 59.2, 58.6, 56.6, 59.5, 59.7, 59.9)
"""Millions a day by month for a world of 20,000 repositories; from March 2025 the Hub's own figures."""

NEW_SHARE = (22, 22, 23, 23, 24, 25, 26, 27, 28, 28, 29, 30, 31, 32)
"""Percent of a month's downloads that new models take."""

DERIVATIVE_SHARE = (30, 31, 32, 33, 34, 35, 36, 37, 38, 40, 41, 42, 43, 43)
"""Percent of a month's downloads that derivatives take."""

CHINA_PROFILE = (14.0, 14.2, 14.4, 14.6, 14.9, 15.2, 15.9, 16.1, 16.3, 16.3, 16.7, 20.8, 24.0, 25.0)
USA_PROFILE = (17.4, 17.3, 17.2, 17.1, 17.0, 16.9, 16.8, 16.7, 16.6, 16.6, 16.4, 13.1, 11.2, 10.8)
INTERNATIONAL_PROFILE = (23.8,) * 14
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
    profiles = {"CN": CHINA_PROFILE, "US": USA_PROFILE, "international": INTERNATIONAL_PROFILE}
    for target, (country, profile) in zip(TARGETS[:3], profiles.items(), strict=True):
        shape = np.array(profile) / 100
        shift = target.planted / 100 - float(weight @ shape[TRAILING_YEAR])
        shares[:, countries.index(country)] = shape + shift
    rest = np.array([0.0 if country in profiles else OTHER_NEW_SHARES.get(country, 0.05) for country in countries])
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
    knots = [(month.year - 1970) * 12 + month.month - 1 for month in FAMILY_QUOTA_MONTHS]
    quotas = np.array([np.interp(months, knots, points) for points in FAMILY_QUOTAS.values()]).T
    return list(FAMILY_QUOTAS), np.asarray(quotas / quotas.sum(axis=1, keepdims=True))
