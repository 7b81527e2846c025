"""Each statement about a figure is what the months say that it was read from: any months, gaps, sources and bases."""

import re
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.months import add_months
from pipeline.publish.warehouse import FILE_NAME
from pipeline.report.explain import Asked, explain
from pipeline.report.figures import COUNTS_REPOSITORIES, FigureReader, headline_definition, open_warehouse
from pipeline.report.headline import figure_as_text, read_headline
from pipeline.report.statements import BASIS_MEANINGS, NOTHING, read_period, terms_as_text
from tests.report.scenario import (
    COUNTRIES,
    PERIODS,
    Month,
    country_shares,
    dimensions,
    models,
    months_promised,
    publication,
    rows_of,
    write,
)

FIRST = date(2024, 11, 1)

a_month = st.builds(
    lambda place, **facts: Month(add_months(FIRST, place), **facts),
    st.integers(0, 17),
    downloads=st.fixed_dictionaries({code: st.integers(0, 10**6) for code in COUNTRIES}),
    source=st.sampled_from(["hub_stats", "weekly", "sample"]),
    basis=st.sampled_from(["all_time_delta", "rolling_30d"]),
    quality=st.sampled_from(["exact", "scaled", "estimated"]),
    is_synthetic=st.booleans(),
    incidents=st.sampled_from([None, "freeze of the hub", "a burst; freeze of the hub"]),
)
some_months = st.lists(a_month, min_size=1, max_size=14, unique_by=lambda month: month.month).map(
    lambda months: sorted(months, key=lambda month: month.month)
)


def is_complete_year(last, months):
    return set(months_promised("trailing_12_months", last, [])) <= {month.month for month in months}


def months_in(text):
    """The months that a text names, stretches counted out."""
    found = []
    for first, last in re.findall(r"(\d{4}-\d{2})(?: to (\d{4}-\d{2}))?", text):
        month, end = date.fromisoformat(f"{first}-01"), date.fromisoformat(f"{last or first}-01")
        while month <= end:
            found.append(month)
            month = add_months(month, 1)
    return found


def said_by_month(text, months):
    """What a term says of each month: of all the same, or of those that stand before it."""
    parts = text.split("; ")
    if len(parts) == 1:
        return dict.fromkeys(months, text)
    split = [part.split(": ", 1) for part in parts]
    return {month: said for named, said in split for month in months_in(named)}


def expect_true(statement, period, last, published):
    """Holds a statement to the months of the period."""
    by_month = {month.month: month for month in published}
    promised = months_promised(period, last, by_month)
    held = [by_month[month] for month in promised if month in by_month]
    months = [month.month for month in held]
    named, _, about = statement["Period"].partition(" (")
    assert months_in(named) == months
    assert (", INCOMPLETE: " in about) == (months != promised)
    assert months_in(about.partition("missing: ")[2]) == [month for month in promised if month not in months]
    assert said_by_month(statement["Basis"], months) == {month.month: BASIS_MEANINGS[month.basis] for month in held}
    assert said_by_month(statement["Quality"], months) == {month.month: month.quality for month in held}
    assert said_by_month(statement["Source"], months) == {month.month: month.source for month in held}
    happened = {(month.month, said) for month in held for said in (month.incidents or "").split("; ") if said}
    told = [part.split(": ", 1) for part in statement["Incidents"].split("; ") if part != "none known"]
    assert {(month, said) for named, said in told for month in months_in(named)} == happened
    return held


def expect_label(text, held):
    """The text begins with a warning where any of these months is synthetic, which names them where not all are."""
    synthetic = [month.month for month in held if month.is_synthetic]
    assert text.startswith("SYNTHETIC SAMPLE") == (len(synthetic) == len(held))
    assert text.startswith("PARTLY SYNTHETIC") == (0 < len(synthetic) < len(held))
    if text.startswith("PARTLY"):
        assert months_in(text.partition(" are of")[0]) == synthetic


@given(some_months)
@settings(max_examples=25)
def test_the_headline_its_explanation_and_every_figure_state_the_months_that_they_hold(months):
    with TemporaryDirectory() as folder:
        publication(Path(folder), months)
        headline = read_headline(Path(folder), CATALOGUE.figures)
        explained = {name: explain(Path(folder), Asked("country", code)) for code, name in COUNTRIES.items()}
        last = headline.definition.last_month
        complete = [month.month for month in months if is_complete_year(month.month, months)]
        assert last == max(complete or [month.month for month in months])
        first, *others = headline.figures
        held = expect_true(first.views[0].statement, "trailing_12_months", last, months)
        expect_label(headline.as_text(), held)
        for figure in headline.figures:
            assert figure_as_text(figure, "").endswith(figure.figure.if_empty) == (not figure.views[0].rows)
        for figure in others:
            for view in figure.views:
                if figure.figure.counts_downloads:
                    expect_true(view.statement, "trailing_12_months", last, months)
        with open_warehouse(Path(folder)) as connection:
            reader = FigureReader(connection, headline_definition(connection))
            [over_time] = [figure for figure in CATALOGUE.figures if figure.key == "countries-over-time"]
            statement = reader.read(over_time).views[0].statement
        assert months_in(statement["Period"].partition(" (")[0]) == [month.month for month in months]
        whole = sum(sum(month.downloads.values()) for month in held)
        assert first.views[0].statement["Denominator"] == f"{whole:,} downloads, nothing left out"
        assert (first.views[0].statement["Coverage"] == NOTHING) == (whole == 0)
        printed = headline.as_dict()
        assert sum(member["downloads"] for member in printed["members"]) == whole
        assert [date.fromisoformat(f"{month}-01") for month in printed["months"]] == [month.month for month in held]
        assert printed["is_synthetic"] == any(month.is_synthetic for month in held)
    stated = {member["name"]: member for member in headline.members}
    for name, found in explained.items():
        assert found.downloads == stated[name]["downloads"]
        assert (found.share, found.share_low) == (stated[name]["share"], stated[name]["share_low"])
        assert found.period.in_words() == first.views[0].period.in_words()
        assert found.denominator == headline.definition.denominator
        assert found.figure.population == headline.definition.population


@given(some_months, st.data())
@settings(max_examples=25)
def test_an_explanation_states_the_months_of_its_period_and_adds_up_to_them(months, data):
    asked = data.draw(st.sampled_from(months)).month
    period, code = data.draw(st.sampled_from(PERIODS)), data.draw(st.sampled_from(sorted(COUNTRIES)))
    with TemporaryDirectory() as folder:
        publication(Path(folder), months)
        found = explain(Path(folder), Asked("country", code, asked, period))
    statement = found.as_dict()["statement"]
    held = expect_true(statement, period, asked, months)
    expect_label(found.as_text(5), held)
    downloads, whole = sum(month.downloads[code] for month in held), sum(sum(m.downloads.values()) for m in held)
    assert found.downloads == downloads
    for rows in found.levels.values():
        assert sum(row["downloads"] for row in rows) == downloads
    assert [snapshot["month"] for snapshot in found.as_dict()["snapshots"]] == [f"{m.month:%Y-%m}" for m in held]
    said = found.as_text(5).splitlines()[0]
    assert said.endswith(f"{downloads / whole:.2%} of all" if whole else NOTHING)
    assert (statement["Bounds"] == NOTHING) == (whole == 0)


def test_figures_below_the_headline_repeat_of_its_terms_only_period_denominator_and_coverage(tmp_path):
    downloads = {"CN": 3, "US": 2, "unmapped": 1}
    publication(tmp_path, [Month(add_months(FIRST, place), downloads, is_synthetic=True) for place in range(12)])
    headline = read_headline(tmp_path, CATALOGUE.figures)
    first, *others = headline.figures
    assert [figure["key"] for figure in headline.as_dict()["figures"]] == [figure.figure.key for figure in others]
    text = headline.as_text()
    below = [text.partition(figure.marked_title)[2] for figure in others]
    assert "\n\n  country " in text.partition(others[0].marked_title)[0]
    stated = first.views[0].statement
    for figure, printed, following in zip(others, below, [*below[1:], ""], strict=True):
        block = printed.removesuffix(following)
        assert "\n\n  " not in block
        for term, words in figure.views[0].statement.items():
            repeated = term in ("Period", "Denominator", "Coverage") or words != stated.get(term)
            assert (f"\n  {term.lower():12} " in block) == repeated, (figure.figure.key, term)


@given(some_months, st.data())
@settings(max_examples=15)
def test_figures_of_derivatives_add_up_the_months_of_the_period_and_no_others(months, data):
    new = {month.month: data.draw(st.integers(1, 50)) for month in months}
    whole = {month: count + data.draw(st.integers(0, 50)) for month, count in new.items()}
    families = [
        {"month": month, "level": "root_model", "family": "Qwen/one", "new_derivatives": float(count)}
        | {"new_derivatives_in_all": whole[month]}
        for month, count in new.items()
    ]
    flows = [
        {"month": month, "base_country": "CN", "derivative_country": "US", "new_derivatives": float(count)}
        for month, count in new.items()
    ]
    with TemporaryDirectory() as folder:
        tables = [*dimensions(months), country_shares(months), *models(months)]
        tables += [rows_of("family_shares", *families), rows_of("derivation_flows", *flows)]
        with open_warehouse(write(Path(folder), tables)) as connection:
            definition = headline_definition(connection)
            reader = FigureReader(connection, definition)
            read = {figure.key: reader.read(figure).views[0] for figure in CATALOGUE.figures}
    held = [month for month in months_promised("trailing_12_months", definition.last_month, new) if month in new]
    of_period, of_all = sum(new[month] for month in held), sum(whole[month] for month in held)
    [built_on], [flow] = read["built-on"].rows, read["flows"].rows
    in_period = read["qwen"].rows[0]
    assert built_on["new"] == in_period["new"] == flow["new"] == of_period
    assert built_on["share"] == in_period["share"] == pytest.approx(of_period / of_all)
    assert read["built-on"].statement["Denominator"].startswith(f"{of_all:,} ")
    assert read["flows"].statement["Denominator"].startswith(f"{of_period:,} ")
    assert months_in(read["built-on"].statement["Period"].partition(" (")[0]) == held
    assert read["built-on"].statement["Basis"] == COUNTS_REPOSITORIES


def test_what_another_version_published_is_refused_with_the_command_that_mends_it(tmp_path):
    duckdb.connect(tmp_path / FILE_NAME).close()
    with pytest.raises(
        CensusError, match=r"another version of the census \(.*headline_country.*\): run `census publish`"
    ):
        read_headline(tmp_path, CATALOGUE.figures)


@pytest.mark.parametrize("period", PERIODS)
def test_a_period_over_a_gap_names_what_it_holds_and_what_it_lacks(tmp_path, period):
    months = [Month(date(2026, month, 1), {"CN": 1, "US": 1, "unmapped": 0}) for month in (1, 2, 4, 5)]
    publication(tmp_path, months)
    with open_warehouse(tmp_path) as connection:
        said = read_period(connection, period, date(2026, 5, 1)).in_words()
    assert (
        said
        == {
            "month": "2026-05 (month)",
            "trailing_12_months": "2026-01 to 2026-02, 2026-04 to 2026-05 (trailing_12_months, INCOMPLETE: 4 of 12 "
            "months; missing: 2025-06 to 2025-12, 2026-03)",
            "year_to_date": "2026-01 to 2026-02, 2026-04 to 2026-05 (year_to_date, INCOMPLETE: 4 of 5 months; "
            "missing: 2026-03)",
            "cumulative": "2026-01 to 2026-02, 2026-04 to 2026-05 (cumulative, INCOMPLETE: 4 of 5 months; "
            "missing: 2026-03)",
        }[period]
    )


def test_a_term_goes_on_in_the_next_line_after_104_characters():
    assert terms_as_text({"Source": f"{'a' * 51} {'b' * 52}"}) == [f"  source       {'a' * 51} {'b' * 52}"]
    assert terms_as_text({"Source": f"{'a' * 51} {'b' * 53}"}) == [f"  source       {'a' * 51}", f"{'':15}{'b' * 53}"]
