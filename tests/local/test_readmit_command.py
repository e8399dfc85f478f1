"""The command that takes back in what a wrong secret turned away: it rehearses, readmits, derives, and says what remains."""

import asyncio
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.domain.errors import RefusedError
from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME
from shared.pipeline.receive import Call, receive
from shared.runtime import wiring
from shared.runtime.settings import Settings
from tests.functions.signed import encoded, event, payment, signature

KEY = "the-right-key"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home whose door turned away a genuine and a forged delivery, and whose secret has been mended since."""
    monkeypatch.setenv("ASIENTO_PROVIDERS", "betterez")
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets" / "betterez-webhook"
    secret.write_text("a-wrong-key")
    now = datetime.now(UTC)
    with closing(wiring.embedded(Settings(home=tmp_path, providers=("betterez",)))) as parts:
        assert list(parts.raw.deliveries(ALL_TIME)) == []
        for name, key in (("genuine", KEY), ("forged", "forged")):
            body = encoded(event(name, payment()))
            call = Call("betterez", "/betterez", signature(body, now, key), body)
            with pytest.raises(RefusedError):
                asyncio.run(receive(call, wiring.receiving(parts), now))
    secret.write_text(KEY)
    return tmp_path


def told(home: Path, *arguments: str) -> Any:
    """Return the JSON answer of the command."""
    answer = CliRunner().invoke(app, ["readmit", "--home", str(home), "--json", *arguments])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


REMAINING = [
    {"provider": "betterez", "refused_as": "signature_wrong", "remains_as": "signature_wrong", "deliveries": 1}
]


def test_rehearses_and_readmits(home: Path) -> None:
    """Asiento says what it would readmit, readmits and derives it when told to, and does nothing the second time."""
    rehearsed = told(home, "--dry-run")
    assert (rehearsed["is_rehearsal"], rehearsed["readmitted"], rehearsed["derived"]) == (True, {"betterez": 1}, 0)
    done = told(home)
    assert (done["readmitted"], done["derived"], done["remaining"]) == ({"betterez": 1}, 1, REMAINING)
    again = told(home)
    assert (again["readmitted"], again["derived"], again["remaining"]) == ({}, 0, REMAINING)
    with closing(wiring.embedded(Settings(home=home))) as parts:
        assert parts.ledger.outcome_counts() == {Outcome.APPLIED: 1}


def test_shows_what_remains_and_why(home: Path) -> None:
    """Asiento shows in a table what was readmitted, and what remains with the reason then and now."""
    shown = CliRunner().invoke(app, ["readmit", "--home", str(home)]).stdout
    for words in ("Readmitted", "Remain rejected", "betterez", "signature_wrong"):
        assert words in shown


def test_readmits_only_what_is_asked_for(home: Path) -> None:
    """Asiento leaves alone what came before the day that it is told, and refuses what is no day or no provider."""
    assert told(home, "--since", "2999-01-01")["readmitted"] == {}
    for wrong in (("--since", "yesterday"), ("--provider", "nobody")):
        assert CliRunner().invoke(app, ["readmit", "--home", str(home), *wrong]).exit_code == 1
    assert told(home, "--provider", "betterez", "--since", "2020-01-01")["readmitted"] == {"betterez": 1}
