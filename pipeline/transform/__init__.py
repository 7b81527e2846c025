"""Pure transforms: frames in, frames out. Nothing here knows of Dagster, files or the network."""
