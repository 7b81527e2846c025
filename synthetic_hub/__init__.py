"""A stand-in for the Hugging Face Hub: a seeded synthetic world, and a server that speaks the Hub's protocol over it.

`world` makes the repositories, their downloads, their lineage and the planted truth; `server` serves them on the
loopback interface. The demo, the tests and the benchmarks read it through the same client as the real Hub. Nothing
here knows the census' own code, so that what it plants can judge what the census computes.
"""
