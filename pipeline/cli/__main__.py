"""`python -m pipeline.cli`: the `census` command where it is not installed."""

from pipeline.cli import main

main()
