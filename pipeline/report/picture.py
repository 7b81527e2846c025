"""What the report is to those who do not draw it: a file's name, and pictures of its main figures."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pipeline.text import in_markdown

REPORT_NAME = "report.html"


@dataclass(frozen=True)
class Picture:
    """A figure's chart as PNG: the figure's key, and the published table that it shows.

    `words` say it to those who do not see it, `statement` is what the figure is of: window, population and so on.
    """

    key: str
    table: str
    words: str
    statement: str
    png: bytes

    def as_markdown(self) -> str:
        """The picture itself and its statement, in Markdown."""
        address = f"data:image/png;base64,{base64.b64encode(self.png).decode()}"
        return f"![{in_markdown(self.words)}]({address})\n\n{in_markdown(self.statement)}"
