"""How the census' tables are made: reading the Hub, transforming, checking and publishing."""
