"""The vocabulary in which tables, columns, rules and figures are declared."""
