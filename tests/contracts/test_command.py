"""`asiento contract`: snapshots compared, and a home's raw store held against the pinned one."""

import base64
import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from local.simulator import Season
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.contracts.snapshot import FOLDER
from shared.domain.deliveries import Channel, Delivery

PINNED = FOLDER / "betterez" / "openapi.yaml"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["contract", *map(str, arguments)])


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return a snapshot in which item amounts count cents and no longer hundred-thousandths."""
    text = PINNED.read_text(encoding="utf-8")
    path = tmp_path / "changed.yaml"
    path.write_text(text.replace("scale: 100000\n", "scale: 100\n", 1), encoding="utf-8")
    return path


def test_shows_a_changed_scale_and_fails(changed: Path) -> None:
    """Asiento ends with status 1 where a snapshot breaks what it reads, and names the part that is money."""
    result = _run("diff", PINNED, changed)
    assert result.exit_code == 1
    assert "money: scale changed" in result.output
    assert "ItemAmount" in result.output


def test_compares_for_scripts(changed: Path) -> None:
    """Asiento lists every place of a change, inside webhook payloads too, as one JSON document."""
    result = _run("diff", PINNED, changed, "--json", "--fail-on", "never")
    answer = json.loads(result.output)
    assert result.exit_code == 0
    assert answer["worst"] == "breaking"
    assert {"webhook ticket.created", "GET /operations/tickets/{}"} <= {each["operation"] for each in answer["changes"]}
    assert {(each["part"], each["kind"], each["is_money"]) for each in answer["changes"]} == {
        ("ItemAmount", "money: scale changed", True)
    }


@pytest.mark.parametrize(("fail_on", "status"), [("breaking", 0), ("notable", 1), ("harmless", 1), ("never", 0)])
def test_fails_from_the_severity_that_is_asked_for(tmp_path: Path, fail_on: str, status: int) -> None:
    """Asiento's exit status follows the severity from which a script wants to fail."""
    later = tmp_path / "later.yaml"
    event = "  ticket.created: "
    text = PINNED.read_text(encoding="utf-8")
    later.write_text(text.replace(event, '  ticket.burnt: { $ref: "#/components/pathItems/TicketEvent" }\n' + event, 1))
    assert _run("diff", PINNED, later, "--fail-on", fail_on).exit_code == status


def test_says_that_nothing_changed() -> None:
    """Asiento says so where two snapshots say the same."""
    result = _run("diff", PINNED, PINNED, "--fail-on", "harmless")
    assert (result.exit_code, result.output.strip()) == (0, "The snapshots say the same.")
    assert json.loads(_run("diff", PINNED, PINNED, "--json").output) == {"worst": None, "changes": []}


# Observing


def _keep(home: Path, bodies: Iterable[bytes], channel: Channel = Channel.WEBHOOK, target: str = "/betterez") -> None:
    store = SqliteRawStore(home / "raw.db")
    store.create_all(
        [
            Delivery(f"0198c0de-0000-7000-8000-{number:012d}", "betterez", channel, AT, target, {}, body)
            for number, body in enumerate(bodies)
        ]
    )
    store.close()


@pytest.fixture
def tickets(season: Season) -> list[bytes]:
    """Return some events of one type as they are posted."""
    found = [emission.body for emission in season.emissions() if emission.event_type == "ticket.created"]
    return found[:20]


def _observe(home: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = _run("observe", "--home", home, "--json", *options)
    answer: dict[str, Any] = json.loads(result.output)["betterez"]
    return result.exit_code, answer


def test_says_that_everything_conforms(tmp_path: Path, tickets: list[bytes]) -> None:
    """Asiento says so where every kept delivery is as the contract says."""
    _keep(tmp_path, tickets)
    result = _run("observe", "--home", tmp_path)
    assert result.exit_code == 0
    assert "Every delivery of betterez is as its contract says." in result.output
    assert _observe(tmp_path)[1]["treatments"] == {"accepted": 20, "quarantined": 0, "stopping": 0}


def test_counts_what_departs(tmp_path: Path, tickets: list[bytes]) -> None:
    """Asiento counts departures by event type and field, with the treatment that the policy would give."""
    total_in_units = tickets[0].replace(b'"total":', b'"total":0.5,"listedTotal":')
    upgraded = tickets[1].replace(b'"status":"paid"', b'"status":"upgraded"')
    unknown = tickets[2].replace(b"ticket.created", b"ticket.burnt")
    _keep(tmp_path, [total_in_units, upgraded, unknown, b"{", *tickets[4:]])

    status, answer = _observe(tmp_path)

    assert status == 1
    assert answer["treatments"] == {"accepted": 16, "quarantined": 3, "stopping": 1}
    assert answer["departing"] == {"ticket.burnt": 1, "ticket.created": 2, "webhook that cannot be read": 1}
    lines = {(line["event_type"], line["path"], line["kind"], line["seen"]): line for line in answer["departures"]}
    assert set(lines) == {
        ("ticket.burnt", "", "unknown event", "another"),
        ("ticket.created", "data.listedTotal", "unknown field", "integer"),
        ("ticket.created", "data.status", "new value", '"upgraded"'),
        ("ticket.created", "data.total", "changed type", "number"),
        ("webhook that cannot be read", "", "unreadable body", "malformed_json"),
    }
    total = lines["ticket.created", "data.total", "changed type", "number"]
    assert (total["treatment"], total["is_money"], total["deliveries"]) == ("stopping", True, 1)
    assert total["first_delivery_id"].endswith("000000000000")


def test_shows_departures_as_a_table(tmp_path: Path, tickets: list[bytes]) -> None:
    """Asiento shows people the field, what was expected and what came, and no passenger."""
    body = tickets[0].replace(b'"pricesIncludeTaxes":true', b'"pricesIncludeTaxes":"yes"')
    name = json.loads(body)["data"]["firstName"]
    _keep(tmp_path, [body])
    result = _run("observe", "--home", tmp_path, "--fail-on", "stopping")
    assert result.exit_code == 0
    assert "data.pricesIncludeTaxes" in result.output
    assert "The policy says" in result.output
    assert name not in result.output


def test_opens_what_is_compressed(tmp_path: Path, tickets: list[bytes]) -> None:
    """Asiento looks into data that comes compressed, and says where it cannot be opened."""
    content = json.loads(tickets[0])
    packed = base64.b64encode(gzip.compress(json.dumps({**content["data"], "addedLater": 1}).encode())).decode()
    bodies = [
        json.dumps({**content, "enc": "gzip", "data": packed}).encode(),
        json.dumps({**content, "enc": "gzip"}).encode(),
    ]
    _keep(tmp_path, bodies)
    _, answer = _observe(tmp_path, "--provider", "betterez")
    assert {(line["path"], line["seen"]) for line in answer["departures"]} == {
        ("data.addedLater", "integer"),
        ("", "unsupported_encoding"),
    }


def test_holds_answers_against_their_call(tmp_path: Path, tickets: list[bytes]) -> None:
    """Asiento holds an API answer against the call that was made, within the window that is asked for."""
    ticket = {**json.loads(tickets[0])["data"], "addedLater": 1}
    _keep(tmp_path, [json.dumps(ticket).encode()], Channel.FETCH, f"GET /operations/tickets/{ticket['_id']}")
    _, answer = _observe(tmp_path, "--from", "2026-03-01", "--to", "2026-03-01")
    assert answer["deliveries"] == {"GET /operations/tickets/{}": 1}
    assert [line["path"] for line in answer["departures"]] == ["addedLater"]
    assert _observe(tmp_path, "--from", "2026-03-02", "--to", "2026-03-02")[1]["deliveries"] == {}
