"""Group `models`: everything that the marts ask of a repository, in one row."""
