"""What the report is to those who do not draw it: a file's name, and pictures of its main figures."""

from __future__ import annotations

import base64
from dataclasses import dataclass

REPORT_NAME = "report.html"


@dataclass(frozen=True)
class Picture:
    """A figure's chart as PNG, by the figure's anchor in the report.

    `words` say it to those who do not see it, `statement` is what the figure is of: window, population and so on.
    """

    key: str
    words: str
    statement: str
    png: bytes

    def as_markdown(self) -> str:
        """The picture itself and its statement, in Markdown."""
        words, statement = (text.translate(str.maketrans("", "", "[]\\\n")) for text in (self.words, self.statement))
        return f"![{words}](data:image/png;base64,{base64.b64encode(self.png).decode()})\n\n{statement}"
