"""What tables exist: one module per group of the chain. How they are made is the business of `pipeline`."""
