"""The `census` command."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from pipeline.errors import CensusError, storage_trouble


def main() -> None:
    """Runs the command; a census error is one sentence and exit code 2."""
    from pipeline.cli.commands import census  # noqa: PLC0415 - keeps `import pipeline.cli` free of side effects

    for stopping in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, _stop)
    try:
        census(standalone_mode=False)
    except CensusError as error:
        click.echo(f"census: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        trouble = storage_trouble(error)
        if trouble is None:
            raise
        click.echo(f"census: {trouble}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("census: interrupted; months that were finished are kept, run again for the others", err=True)
        sys.exit(130)


def _stop(signal_number: int, _frame: FrameType | None) -> None:
    """Ends the command as its own exit would, so that it ends what it has started."""
    click.echo(f"census: stopped by {signal.Signals(signal_number).name}; what was finished is kept", err=True)
    sys.exit(128 + signal_number)
