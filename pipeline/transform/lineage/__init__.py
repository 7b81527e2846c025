"""Families of models, and flows between countries: derivatives and downloads added up over roots."""
