"""What a publication may do that is refused unless it is allowed."""

from __future__ import annotations

FEWER_MONTHS, MIXED_LISTS, CHANGED_HEADLINE = "fewer-months", "mixed-lists", "changed-headline"
ALLOWANCES = {
    FEWER_MONTHS: "a version without some of the months that are published now",
    MIXED_LISTS: "months that were made by different reviewed lists",
    CHANGED_HEADLINE: "a headline that corrections changed",
}
