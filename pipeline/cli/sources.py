"""`census sources`: each source, and the months that it can serve, as far as can be told now."""

from collections.abc import Iterator
from pathlib import Path

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.months import in_words
from pipeline.sources.archive import ArchiveSource
from pipeline.sources.client import HubClient
from pipeline.sources.snapshots import SourceChoice, described_sources, open_source
from pipeline.wording import counted


def describe_sources(snapshots: Path | None) -> Iterator[str]:
    """Two lines for each source: what it is, and the months that it can serve, or why it cannot say."""
    is_away = not HubClient().answers()
    for name, sentence in described_sources().items():
        yield f"{name:10} {sentence}"
        yield f"{'':10} {_months(name, snapshots, is_away=is_away)}"


def _months(name: str, snapshots: Path | None, *, is_away: bool) -> str:
    try:
        source = open_source(SourceChoice(name, snapshots), settings.cache_folder())
        if is_away and isinstance(source, ArchiveSource):
            return "not known now: the Hub does not answer"
        if months := source.months():
            return f"{in_words(months)} ({counted(len(months), 'month')})"
        return f"no month now: {source.reach()}; {source.remedy}"
    except CensusError as error:
        return str(error)
