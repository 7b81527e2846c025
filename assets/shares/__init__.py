"""Group `shares`: the marts of a month, one module each, and what readers see of them over periods of months."""
