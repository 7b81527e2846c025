"""Snapshot sources: where a month's observation of the Hub can be read, behind one interface.

A source is a module here with a subclass of `pipeline.sources.snapshots.SnapshotSource`: it is found, not registered.
"""
