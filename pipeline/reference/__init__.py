"""Reviewed data: who is who, what counts as what, and what upstream got wrong. Facts live here, never in code."""
