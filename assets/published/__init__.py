"""Group `published`: which months may be published, and what readers see beside the marts."""
