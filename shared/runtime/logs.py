"""Logs: one JSON line for each event in the cloud (Cloud Logging reads `severity`), readable lines on one machine."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure(*, level: str, as_json: bool) -> None:
    """Set up logging for a process, from a level (debug, info, warning, error, critical) on."""
    shape = [_severity, structlog.processors.JSONRenderer()] if as_json else [structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # The stream is looked up for each line: whoever redirects it later is followed.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stdout if as_json else sys.stderr),
        cache_logger_on_first_use=False,
    )


def _severity(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["severity"] = str(event.pop("level", "info")).upper()
    event["message"] = event.pop("event", "")
    return event
