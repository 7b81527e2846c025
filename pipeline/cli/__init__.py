"""The `census` command."""

import atexit
import gc
import os
import signal
import sys
import traceback
from types import FrameType

import click

from pipeline.errors import CensusError, storage_trouble
from pipeline.secrets import hidden

# Libraries make objects by the million while they load, and no garbage: to look for some takes half a second.
GARBAGE_LOOKED_FOR_AFTER = 500_000


def main() -> None:
    """The command as a process, which ends without taking down what libraries loaded: that is half a second of work."""
    gc.set_threshold(GARBAGE_LOOKED_FOR_AFTER)
    code: str | int | None = 1

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)

    atexit.register(end)  # what is registered first is called last
    try:
        answer()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0


def answer() -> None:
    """Runs the command; a census error is one sentence and exit code 2."""
    for stopping in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, _stop)
    try:
        from pipeline.cli.commands import census

        census(standalone_mode=False)
    except CensusError as error:
        click.echo(f"census: {hidden(str(error))}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("census: interrupted; what was finished is kept", err=True)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - what is raised on would be printed with secrets
        trouble = storage_trouble(error)
        told = f"census: {trouble}\n" if trouble else "".join(traceback.format_exception(error))
        click.echo(hidden(told), err=True, nl=False)
        sys.exit(2 if trouble else 1)


def _stop(signal_number: int, _frame: FrameType | None) -> None:
    """Ends the command as its own exit would, so that it ends what it has started."""
    click.echo(f"census: stopped by {signal.Signals(signal_number).name}; what was finished is kept", err=True)
    sys.exit(128 + signal_number)
