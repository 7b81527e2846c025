"""Who builds on whom: from what repositories declare to roots, depths, weights and families.

`parse` reads declarations into edges, `graph` places every repository among them, `weights` splits derivatives over
their roots, `families` adds up. `condensation` holds the array algorithms that the last three share.
"""
