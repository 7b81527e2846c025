"""Checks: what tables declare becomes one row of numbers that Great Expectations validates for Dagster."""
