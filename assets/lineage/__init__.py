"""Group `lineage`: which model was made from which. Structure only; who the developers are is found after it."""
