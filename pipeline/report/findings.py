"""Findings in sentences, which say no more than the numbers: each template states when it may be used.

A share lies between what was measured and what it would be if all unmapped downloads were the member's. That one is
larger, or that one rose, is said only where these intervals do not overlap and both were measured alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

POPULATIONS = {"new": "new models", "all": "all models"}
"""The headline's populations in a sentence."""


WITH_ARTICLE = {"Netherlands", "Philippines"}
SMALL = 0.01


@dataclass(frozen=True)
class Measured:
    """A share with the interval that it lies in: of whom, when (in words), from which counters."""

    name: str
    when: str
    share: float
    low: float
    high: float
    basis: str = ""
    is_complete: bool = True
    """Whether no month of its period is missing."""

    @property
    def interval(self) -> str:
        """From the least to the most that it could be, in words."""
        return f"{percent(self.low)} to {percent(self.high)}"

    def exceeds(self, other: Measured) -> bool:
        """Whether it is larger wherever both lie in their intervals, measured alike and to the digits that are said."""
        is_said = percent(self.share) != percent(other.share)
        return self.low > other.high and self.basis == other.basis and is_said

    def is_exceeded_by(self, other: Measured) -> bool:
        """The same the other way round."""
        return other.exceeds(self)


@dataclass(frozen=True)
class Template:
    """A sentence about two shares, and when it may be said; the first that holds is used."""

    holds: Callable[[Measured, Measured], bool]
    words: str


ORDER = (
    Template(Measured.exceeds, "{first.name} is ahead whatever the unmapped organisations are."),
    Template(Measured.is_exceeded_by, "{second.name} is ahead whatever the unmapped organisations are."),
    Template(
        lambda *_: True,
        "Which of the two is ahead is open: with all downloads of unmapped organisations, their shares could be up to "
        "{first_high} and {second_high}.",
    ),
)
"""About the first and the second of one period."""
CHANGE = (
    Template(
        lambda now, before: now.basis != before.basis,
        "{now.name}: {share} in {now.when}, {earlier} in {before.when}; the two were measured differently.",
    ),
    Template(Measured.exceeds, "{now.name} rose to {share} in {now.when} from {earlier} in {before.when}."),
    Template(Measured.is_exceeded_by, "{now.name} fell to {share} in {now.when} from {earlier} in {before.when}."),
    Template(
        lambda *_: True,
        "{now.name}: {share} in {now.when} after {earlier} in {before.when}; what is unmapped could account for the "
        "difference.",
    ),
)
"""About one member's share, now and before."""


def percent(share: float) -> str:
    """The share as sentences have it: of less than a hundredth, with one digit more."""
    return f"{share:.2%}" if 0 < share < SMALL else f"{share:.1%}"


def with_article(country: str) -> str:
    """A country's name within a sentence."""
    return f"the {country}" if country.startswith("United ") or country in WITH_ARTICLE else country


def in_month(month: date) -> str:
    """A month as sentences have it."""
    return f"{month:%B %Y}"


def in_period(period: str, last: date, months: int, *, is_complete: bool) -> str:
    """A period as sentences have it, with the number of its months where some are missing."""
    if period == "month":
        return in_month(last)
    said = f"the year to {in_month(last)}" if period == "trailing_12_months" else f"the months to {in_month(last)}"
    return said if is_complete else f"the {months} published months of {said}"


def order_of(first: Measured, second: Measured) -> str:
    """Which of two shares of one period is larger, if that can be said."""
    words = next(template.words for template in ORDER if template.holds(first, second))
    return words.format(first=first, second=second, first_high=percent(first.high), second_high=percent(second.high))


def change_of(now: Measured, before: Measured) -> str:
    """How a share changed, if that can be said."""
    words = next(template.words for template in CHANGE if template.holds(now, before))
    return words.format(now=now, before=before, share=percent(now.share), earlier=percent(before.share))


def headline_of(leading: Sequence[Measured], population: str) -> list[str]:
    """The finding of the whole, sentence by sentence: the leading countries' shares, and whether one is ahead.

    Without countries it says that nothing was measured.
    """
    of = POPULATIONS[population]
    if not leading:
        return [f"No downloads of {of} by known countries were measured."]
    first, *others = leading
    said = f"Of all downloads of {of} in {first.when}, {percent(first.share)} went to models from "
    said += with_article(first.name)
    if not others:
        return [f"{said} ({first.interval})."]
    second = others[0]
    return [f"{said}, {percent(second.share)} to models from {with_article(second.name)}.", order_of(first, second)]


def member_of(words: str, member: Measured, population: str) -> str:
    """The finding about one member, by the template of its pages."""
    said = words.format(
        name=member.name, share=percent(member.share), population=POPULATIONS[population], when=member.when
    )
    if percent(member.low) == percent(member.high):
        return f"{said}, whatever the unmapped organisations are."
    return f"{said}; between {percent(member.low)} and {percent(member.high)}, with what is unmapped."
