from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quality.patterns import for_polars, for_python, require_portable


@given(
    pattern=st.sampled_from(
        (r"^a$", r"^\S+$", r"\s", r"^\w*$", r"\W", r"[^\W_]", r"^[^/\s]+$", r"^\d$", r"[$a]", r"\$")
    ),
    text=st.text(max_size=4) | st.text("a/$_ \n\x0b\x1c\x85\u00a0\u2028½², ", max_size=4),
)
def test_a_pattern_means_the_same_to_both_engines(pattern, text):
    by_polars = pl.Series([text]).str.contains(for_polars(pattern)).item()

    assert by_polars == bool(re.search(for_python(pattern), text))


def test_a_line_feed_at_the_end_does_not_slip_through():
    assert not re.search(for_python("^a$"), "a\n")


def test_an_end_that_is_a_character_stays_one():
    assert for_python(r"[$]\$$") == r"[$]\$\Z"


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bword\b",
        r"a\Z",
        r"(?i)a",
        r"(?=a)b",
        r"(?P<name>a)",
        r"(a)\1",
        r"[a",
        r"(",
        r"[[a]b]",
        r"\p{L}",
    ],
)
def test_a_pattern_that_engines_read_differently_is_refused(pattern):
    with pytest.raises(ValueError, match="the pattern"):
        require_portable(pattern)


@pytest.mark.parametrize("pattern", [r"^([A-Z]{2}|international)$", r"^https?://\S+$", r"(?:a|b)+", r"^[0-9a-f]{64}$"])
def test_a_plain_pattern_is_accepted(pattern):
    require_portable(pattern)
