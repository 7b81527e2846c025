"""Snapshot sources: where a month's observation of the Hub can be read, behind one interface."""
