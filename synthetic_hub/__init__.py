"""A stand-in for the Hugging Face Hub: a seeded synthetic world, and a server that speaks the Hub's protocol over it.

`world` makes the repositories (`population`, `lineage`, `naming`, `description`), their counters (`downloads`,
`pathologies`, `incidents`) and the planted truth (`truth`), calibrated to the figures in `data/`; `history` shows them
at any time. `server` serves them on the loopback interface (`application`, `listing`, `datasets`). The demo, the tests
and the benchmarks read it through the same client as the real Hub.

Nothing here knows the census' own code, so that what it plants can judge what the census computes. All of it is
synthetic and says so: a header on every answer, a tag and a card on every dataset, a README in every world.
"""
