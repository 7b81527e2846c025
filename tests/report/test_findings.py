"""No sentence says more than the numbers and the intervals beside it."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.findings import Measured, change_of, headline_of, in_period, member_of, order_of, percent

NAMES = ("A-land", "B-land")


def measured(name, when):
    """Any share between what it is at least and at most."""
    ends = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)
    return st.builds(
        lambda found, basis: Measured(name, when, found[1], found[0], found[2], basis),
        ends,
        st.sampled_from(["all_time_delta", "rolling_30d"]),
    )


def claims(sentence):
    """What a sentence claims beyond the numbers that it gives."""
    words = (
        "is ahead",
        "rose",
        "fell",
        "higher",
        "lower",
        "more than",
        "less than",
        "largest",
        "record",
        "leads",
        "led",
    )
    return [
        word
        for word in words
        if word in sentence.replace("which of the two is ahead", "").replace("Which of the two is ahead", "")
    ]


@given(measured("A-land", "2025"), measured("B-land", "2025"))
def test_a_lead_is_claimed_only_where_no_unmapped_download_could_turn_it(first, second):
    sentence = order_of(first, second)
    if claims(sentence):
        assert claims(sentence) == ["is ahead"]
        ahead, behind = (first, second) if sentence.startswith("A-land") else (second, first)
        assert sentence.startswith(ahead.name)
        assert ahead.low > behind.high
        assert ahead.share > behind.share
        assert ahead.basis == behind.basis
        assert percent(ahead.share) != percent(behind.share)
    else:
        assert percent(first.high) in sentence
        assert percent(second.high) in sentence


@given(measured("A-land", "August 2025"), measured("A-land", "July 2025"))
def test_a_rise_or_fall_is_claimed_only_between_intervals_apart_and_measured_alike(now, before):
    sentence = change_of(now, before)
    assert percent(now.share) in sentence
    assert percent(before.share) in sentence
    assert sentence.index("August 2025") < sentence.index("July 2025")
    match claims(sentence):
        case ["rose"]:
            assert now.low > before.high
        case ["fell"]:
            assert now.high < before.low
        case claimed:
            assert claimed == []
            assert ("measured differently" in sentence) == (now.basis != before.basis)
            return
    assert now.basis == before.basis
    assert percent(now.share) != percent(before.share)


@given(
    st.lists(st.sampled_from(NAMES), max_size=2, unique=True).flatmap(
        lambda names: st.tuples(*(measured(name, "the year to August 2025") for name in names))
    )
)
def test_the_headline_gives_every_share_and_leaves_the_order_to_its_own_sentence(leading):
    first, *others = headline_of(leading, "new")
    assert claims(first) == []
    assert "new models" in first
    for one in leading:
        assert f"{percent(one.share)} " in first
        assert one.name in first
    assert others == ([order_of(*leading)] if len(leading) == 2 else [])


@given(measured("<b>{share}</b>", "August 2025"))
def test_a_members_sentence_gives_its_share_and_interval_whatever_the_member_is_called(member):
    sentence = member_of("{name} took {share} of the downloads of {population} in {when}", member, "all")
    assert claims(sentence) == []
    assert sentence.startswith(
        f"<b>{{share}}</b> took {percent(member.share)} of the downloads of all models in August 2025"
    )
    ends = percent(member.low), percent(member.high)
    assert f"between {ends[0]} and {ends[1]}" in sentence or ends == (percent(member.share),) * 2


def test_a_small_share_is_said_with_two_digits():
    said = [percent(share) for share in (0, 0.00149, 0.0099, 0.01, 0.171)]
    assert said == ["0.0%", "0.15%", "0.99%", "1.0%", "17.1%"]


def test_a_period_with_gaps_is_not_called_a_year():
    assert in_period("trailing_12_months", date(2025, 8, 1), 12, is_complete=True) == "the year to August 2025"
    said = in_period("trailing_12_months", date(2025, 8, 1), 3, is_complete=False)
    assert said == "the 3 published months of the year to August 2025"
    assert in_period("month", date(2025, 8, 1), 1, is_complete=True) == "August 2025"
