"""Bringing bad news to people: what an alert says, and the ways it can go."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from pipeline import settings
from pipeline.errors import TemporaryError

MOST_LINES = 12
ATTEMPTS = 3
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Alert:
    """One piece of news: what happened, the particulars in order of weight, and where to look."""

    title: str
    lines: Sequence[str]
    link: str

    @property
    def text(self) -> str:
        """The alert in plain text, long lists cut short."""
        shown = [f"- {line}" for line in self.lines[:MOST_LINES]]
        if (hidden := len(self.lines) - MOST_LINES) > 0:
            shown.append(f"- and {hidden} more")
        return "\n".join([self.title, *shown, self.link])


class AlertsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where alerts go: always to the log, and to `CENSUS_ALERT_WEBHOOK` where it is set."""

    def deliver(self, alert: Alert, log: logging.Logger) -> None:
        """Logs the alert, then posts it.

        Raises:
            TemporaryError: it was logged, but did not reach the webhook.
        """
        log.error(alert.text)
        if url := settings.alert_webhook():
            post(alert, url)


def post(alert: Alert, url: str, pause_seconds: float = 1.0) -> None:
    """Posts the alert to an address that takes Slack's form of a message, `{"text": ...}`; the address is a secret.

    A busy or absent receiver is tried again, redirects are not followed.

    Raises:
        TemporaryError: no attempt was answered with success.
    """
    import httpx2  # noqa: PLC0415 - loaded where there is something to tell

    # Nothing in it may be taken by a chat for a mention or a link of its own.
    inert = alert.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * pause_seconds)
        try:
            answer = httpx2.post(url, json={"text": inert}, timeout=SECONDS_TO_ANSWER, follow_redirects=False)
        except httpx2.HTTPError as error:
            reason = type(error).__name__  # its text would hold the address
            continue
        if answer.is_success:
            return
        reason = f"status {answer.status_code}"
    raise TemporaryError(f"the alert {alert.title!r} did not reach the webhook ({reason}): check CENSUS_ALERT_WEBHOOK")
