"""What countries, and the members that stand beside them, are called."""

from __future__ import annotations

import pycountry

MEMBER_NAMES = {
    "international": "International (no single base)",
    "unaffiliated": "Unaffiliated (persons' accounts)",
    "unmapped": "Unmapped (organisations not in the registry)",
}


def country_name(code: str) -> str:
    """The usual English name of a member of the dimension `country`, the code itself where it has none."""
    if code in MEMBER_NAMES:
        return MEMBER_NAMES[code]
    country = pycountry.countries.get(alpha_2=code)
    return code if country is None else str(getattr(country, "common_name", country.name))
