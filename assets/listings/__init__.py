"""Group `listings`: what the Hub listed each month, and what was downloaded in it."""
