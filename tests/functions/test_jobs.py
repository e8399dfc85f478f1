"""The doors of the jobs: the scheduler asks, and the answer's status says whether anybody must look."""

import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.adapters.embedded.inbox import SETTLED_AFTER_S
from shared.domain.deliveries import Channel, Delivery
from tests.functions.doors import compare_every_day, derive_all, door, home, parts, send
from tests.functions.signed import event, payment

__all__ = ["home"]


@pytest.mark.parametrize(
    "body", [b"", b'{"job": "stragglers", "days": 1}', b'{"job": "all"}'], ids=["empty", "one", "all"]
)
@pytest.mark.usefixtures("home")
def test_reconcile_runs_what_is_asked_for(body: bytes) -> None:
    """Asiento runs the job that the scheduler names, or all, and answers with the runs that it kept."""
    answer = door("reconcile")("POST", "/", content=body)
    assert answer.status_code == 200
    assert answer.json()["failed"] == []
    assert answer.json()["runs"]


def test_seals_what_is_closed(home: Path) -> None:
    """Asiento seals closed hours when the scheduler asks for it, once, and tells which."""
    came = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    store = parts(home)
    store.raw.create_all([Delivery("early", "betterez", Channel.WEBHOOK, came, "/betterez", {}, b"{}")])
    store.close()
    first, again = (door("reconcile")("POST", "/", content=b'{"job": "seal"}') for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["sealed"][0] == "seal 1 (2026-03-01T12Z to 2026-03-01T13Z)"
    assert first.json()["sealed"][0] not in again.json()["sealed"]


@pytest.mark.parametrize(
    "body", [b'{"job": "everything"}', b'{"days": 0}', b'{"days": "7"}', b'{"window": 1}', b"[]", b"not json"]
)
@pytest.mark.usefixtures("home")
def test_reconcile_says_what_it_takes(body: bytes) -> None:
    """Asiento answers a call that it does not understand with 400 and what it takes."""
    answer = door("reconcile")("POST", "/", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "SettingsError"
    assert len(answer.json()["detail"]) > 20


def test_a_missing_credential_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento says which secret is missing where a provider's API is to be asked, and tells nothing of it."""
    monkeypatch.setenv("ASIENTO_API_URL_BETTEREZ", "http://127.0.0.1:9")
    answer = door("reconcile")("POST", "/", content=b"")
    assert (answer.status_code, "betterez-api" in answer.json()["detail"]) == (400, True)
    assert home.is_dir()


def test_rebuild_fails_loudly_until_nothing_stands_in_its_way(home: Path) -> None:
    """Asiento's rebuild answers 500 while a closed month is refused, says why, and 200 once it is certified."""
    rebuild_bi = door("rebuild_bi")
    empty = rebuild_bi("POST", "/")
    assert (empty.status_code, empty.json()["certified"]) == (200, [])
    send(door("receive"), event("e1", payment()))
    refused = rebuild_bi("POST", "/")
    assert refused.status_code == 500
    (month,) = refused.json()["refused"]
    assert month["month"] == "2026-03"
    assert any("without an outcome" in each for each in month["differences"])
    derive_all(home)
    incomplete = rebuild_bi("POST", "/")
    assert any("certified complete" in each for each in incomplete.json()["refused"][0]["differences"])
    compare_every_day(home, date(2026, 1, 1), date(2026, 3, 31))
    certified = rebuild_bi("POST", "/")
    assert certified.status_code == 200, certified.text
    assert [each["month"] for each in certified.json()["certified"]] == ["2026-03"]


def test_a_notification_of_a_new_file_takes_it_in(home: Path) -> None:
    """Asiento takes in what lies in the inbox when Cloud Storage tells of a new object, whatever the message says of it."""
    (home / "inbox" / "betterez").mkdir(parents=True)
    (home / "inbox" / "betterez" / "release.csv").write_text("DATE;SOURCE_ID", encoding="utf-8")
    message = {"attributes": {"eventType": "OBJECT_FINALIZE", "objectId": "mercadopago/other.csv"}, "messageId": "1"}
    envelope = json.dumps({"message": message, "subscription": "projects/p/subscriptions/inbox"}).encode()
    time.sleep(SETTLED_AFTER_S)
    answer = door("reconcile")("POST", "/", content=envelope)
    assert (answer.status_code, len(answer.json()["runs"])) == (200, 1)
    assert list((home / "inbox").rglob("*.csv")) == []
