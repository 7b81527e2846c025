"""The lake, the census' system of record: Parquet, one file per table and month, whole or absent."""
