"""The launchpad and the environment set thresholds of warnings, of no critical check."""

import dagster as dg
import pytest

from pipeline.definitions import CATALOGUE, defs
from pipeline.errors import CensusError
from pipeline.orchestration.resources import check_thresholds

CYCLES = {"lineage": {"model_lineage": {"cycle_share": 0.02}}}


def chosen(config):
    return check_thresholds(CATALOGUE)(dg.build_init_resource_context(config=config))


def is_accepted(config):
    run_config = {"resources": {"check_thresholds": {"config": config}}}
    return dg.validate_run_config(defs.resolve_job_def("monthly_census"), run_config) is not None


def test_a_launch_comes_before_the_deployment(monkeypatch):
    monkeypatch.setenv(
        "CENSUS_CHECK_THRESHOLDS", "lineage/model_lineage/cycle_share=0.5,shares/country_shares/no_jumps=3"
    )
    assert chosen(CYCLES) == {"lineage/model_lineage": {"cycle_share": 0.02}, "shares/country_shares": {"no_jumps": 3}}


@pytest.mark.parametrize("written", ["lineage/model_lineage/as_declared=0.5", "lineage/nothing/cycle_share=1"])
def test_a_deployment_that_sets_what_cannot_be_set_is_refused(monkeypatch, written):
    monkeypatch.setenv("CENSUS_CHECK_THRESHOLDS", written)
    with pytest.raises(CensusError, match="threshold"):
        chosen({})


def test_the_launchpad_takes_warnings_and_refuses_what_is_critical_or_unknown():
    assert is_accepted(CYCLES)
    for refused in ({"lineage": {"model_lineage": {"as_declared": 0.5}}}, {"lineage": {"nothing": {}}}):
        with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config entry"):
            is_accepted(refused)


def test_each_field_explains_itself_and_what_is_declared():
    groups = defs.resolve_job_def("monthly_census").resource_defs["check_thresholds"].config_schema.config_type.fields
    for group in groups.values():
        for table in group.config_type.fields.values():
            for field in table.config_type.fields.values():
                assert "The number: " in field.description
                assert "Declared: " in field.description
