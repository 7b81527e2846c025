"""How Dagster runs the census: partitions, resources, the lake's I/O manager, asset builders, jobs and schedules."""
