"""Logs: readable beside the work on one machine, one JSON object a line in the cloud."""

import io
import json
import sys

import pytest
import structlog

from shared.runtime import logs


def test_the_cloud_gets_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Asiento logs a JSON object with the severity and message that Cloud Logging reads, from its level on."""
    logs.configure(level="warning", as_json=True)
    structlog.get_logger("receive").info("not this")
    structlog.get_logger("receive").warning("delivery rejected", provider="betterez")
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["severity"], told["message"], told["provider"]) == ("WARNING", "delivery rejected", "betterez")


def test_follows_a_stream_that_is_redirected_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento writes each line to where standard error points then, not to where it pointed at the start."""
    logs.configure(level="info", as_json=False)
    closed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", closed)
    structlog.get_logger("derive").info("first")
    closed.close()
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    structlog.get_logger("derive").info("second")
    assert "second" in later.getvalue()
