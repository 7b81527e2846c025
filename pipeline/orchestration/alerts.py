"""Bringing bad news to people: what an alert says, and the ways it can go."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class AlertChannel(Protocol):
    """A way to people."""

    def deliver(self, alert: Alert) -> None:
        """Hands the alert over.

        Raises:
            TemporaryError: it could not be handed over.
        """


@dataclass(frozen=True)
class LogChannel:
    """The log of the process that found the news."""

    log: logging.Logger

    def deliver(self, alert: Alert) -> None:
        """Writes the alert as one error."""
        self.log.error(alert.text)


@dataclass(frozen=True)
class WebhookChannel:
    """An address that takes Slack's form of a message, `{"text": ...}`; the address itself is a secret."""

    url: str
    pause_seconds: float = 1.0

    def deliver(self, alert: Alert) -> None:
        """Posts the alert; a busy or absent receiver is tried again, redirects are not followed.

        Raises:
            TemporaryError: no attempt was answered with success.
        """
        import httpx2  # noqa: PLC0415 - loaded where there is something to tell

        reason = ""
        for attempt in range(ATTEMPTS):
            time.sleep(attempt * self.pause_seconds)
            try:
                answer = httpx2.post(
                    self.url, json={"text": _inert(alert.text)}, timeout=SECONDS_TO_ANSWER, follow_redirects=False
                )
            except httpx2.HTTPError as error:
                reason = type(error).__name__  # its text would hold the address
                continue
            if answer.is_success:
                return
            reason = f"status {answer.status_code}"
        raise TemporaryError(
            f"the alert {alert.title!r} did not reach the webhook ({reason}): check CENSUS_ALERT_WEBHOOK"
        )


class AlertsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where alerts go: always to the log, and to `CENSUS_ALERT_WEBHOOK` where it is set."""

    def deliver(self, alert: Alert, log: logging.Logger) -> None:
        """Logs the alert, then posts it.

        Raises:
            TemporaryError: it was logged, but did not reach the webhook.
        """
        LogChannel(log).deliver(alert)
        if url := settings.alert_webhook():
            WebhookChannel(url).deliver(alert)


def _inert(text: str) -> str:
    """The text with nothing in it that a chat would take for a mention or a link of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
