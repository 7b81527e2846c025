"""Declared figures, and the statements about them: in the terminal, as a page, as JSON and as pictures."""
