"""What every table of the census is: columns, keys, grain and expectations, each declared once.

A module per group of the chain declares its tables; `catalog` gathers them. The lake's schemas, the
columns shown in Dagster, the checks, the warehouse's DDL and the data dictionary are all derived from here.
"""
