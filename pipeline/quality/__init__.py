"""Quality: declared expectations become Great Expectations suites and Dagster asset checks."""
