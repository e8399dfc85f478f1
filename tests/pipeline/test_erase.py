"""Asiento lives through a season, erases a passenger, and everything that proves still proves."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local import line
from local.cli import app
from local.demo.homes import PROVIDERS
from local.simulator import API_SECRETS, Api, ApiServer, Chaos, Plan, Season
from local.simulator.records import Person
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.outcomes import Outcome
from shared.domain.personal import identifier_text
from shared.domain.sealed_values import holds_tokens
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.erase import Erased, erase
from shared.pipeline.rebuild_bi import rebuild
from shared.pipeline.seal import seal
from shared.pipeline.state_hash import state_hash
from shared.pipeline.trace import trace_delivery
from shared.pipeline.verification.findings import Area
from shared.pipeline.verify import Verification, verify
from shared.ports.key_store import Erasure
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.settings import Settings

SEED = 31
KEYS = {provider: f"signing-key-of-{provider}-{SEED:032x}" for provider in (*PROVIDERS, "operator")}
SEALED_AT = datetime.now(UTC) + timedelta(hours=3)
ERASED_AT = SEALED_AT + timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Lived:
    """A home in which a season was lived through, and who travelled in it."""

    home: Path
    people: list[Person]
    """Those with an address."""
    told: frozenset[str]
    """What names anybody: addresses, customer numbers, last names."""
    state_hash: str


def opened(home: Path) -> EmbeddedParts:
    """Open the home."""
    return wiring.embedded(Settings(home=home, providers=PROVIDERS, log_level="error"))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Live through a season with losses and rejections, publish and seal it."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    home = tmp_path_factory.mktemp("erase")
    season = Season.generate(SEED, sales=20, first_day=date(2026, 3, 2), last_day=date(2026, 3, 4))
    plan = Plan(season, Chaos(seed=SEED, duplicate_share=0.1, loss_share=0.1, forged_share=0.2))
    line.secrets_folder(home, KEYS, API_SECRETS)
    with ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis:
        api_urls = {provider: apis.base_url(provider) for provider in PROVIDERS}
        settings = Settings(home=home, providers=PROVIDERS, api_urls=api_urls, log_level="error")
        with closing(wiring.embedded(settings)) as parts:
            for _ in line.receive_all(parts, plan.sends(), KEYS):
                line.drain(parts)
            line.reconcile_until_closed(parts, Window.of_days(date(2026, 3, 1), date(2026, 5, 31)))
            rebuild(wiring.rebuilding(parts), build_id=new_delivery_id(line.now()), as_of=line.now())
            seal(wiring.sealing(parts), SEALED_AT)
            company = season.company
            people = {*company.people.values(), *(ticket.passenger for ticket in company.tickets.values())}
            told = frozenset(text for each in people for text in (each.email, each.number, each.last_name) if text)
            known = sorted((each for each in people if each.email), key=lambda each: each.number)
            return Lived(home, known, told, state_hash(parts.ledger.entities()))


@pytest.fixture
def parts(lived: Lived) -> Iterator[EmbeddedParts]:
    """Open the home."""
    with closing(opened(lived.home)) as world:
        yield world


def written(home: Path, *, but: tuple[str, ...] = ()) -> bytes:
    """Return all bytes of all files of a home."""
    return b"\n".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file() and path.name not in but)


def verified(world: EmbeddedParts) -> Verification:
    """Verify everything."""
    with wiring.verifying(world) as verifying:
        return verify(verifying, ERASED_AT)


def told_of(world: EmbeddedParts, person: Person) -> list[Delivery]:
    """Return the kept deliveries that tell of a person, while their key lives."""
    found = []
    for delivery in world.raw.deliveries(ALL_TIME):
        came = world.protection.restored(delivery)
        if isinstance(came, Delivery) and person.email.encode() in came.body:
            found.append(delivery)
    return found


def erased_by(world: EmbeddedParts, person: Person, *, is_rehearsal: bool = False) -> Erased:
    """Erase a passenger who tells of themselves the address alone."""
    identifiers = [identifier_text("email", person.email)]
    erasing = wiring.erasing(world)
    return erase(identifiers, erasing, ERASED_AT, by="mlopez", reason="request 118", is_rehearsal=is_rehearsal)


def test_nothing_that_is_kept_names_a_passenger(lived: Lived, parts: EmbeddedParts) -> None:
    """Asiento keeps no name, address or customer number in clear: not in raw store, seals, ledger, warehouse or log."""
    assert len(lived.told) > 20
    kept = written(lived.home, but=("rejected.db", "rejected.db-wal"))
    assert sorted(each for each in lived.told if each.encode() in kept) == []
    assert sum(holds_tokens(delivery) for delivery in parts.raw.deliveries(ALL_TIME)) > 30


def test_every_signature_is_checked_again_over_what_came(parts: EmbeddedParts) -> None:
    """Asiento restores every webhook and verifies its signature, and that of all that came, while the keys live."""
    result = verified(parts)
    assert {found.area: found.first for found in result.findings if not found.holds} == {}
    signatures = result.of(Area.SIGNATURES)
    assert (signatures.unchecked, signatures.checked > 40) == (0, True)
    webhook = next(each for each in parts.raw.deliveries(ALL_TIME) if holds_tokens(each))
    assert trace_delivery(wiring.tracing(parts), webhook).is_proved


def test_an_erased_passenger_is_unreadable_everywhere_and_all_still_verifies(
    lived: Lived, parts: EmbeddedParts
) -> None:
    """Asiento erases a passenger by an address: unreadable for good, ledger unchanged, seals and certificates verified."""
    ana = max(lived.people, key=lambda each: len(told_of(parts, each)))
    kept = told_of(parts, ana)
    webhook = next(each for each in kept if each.channel is Channel.WEBHOOK)
    others = next(each for each in lived.people if each.number != ana.number and told_of(parts, each))
    before = verified(parts)

    rehearsed = erased_by(parts, ana, is_rehearsal=True)
    assert (rehearsed.keys > 0, rehearsed.deliveries >= len(kept), rehearsed.decision) == (True, True, "")
    assert told_of(parts, ana) == kept

    erased = erased_by(parts, ana)
    line.drain(parts)
    assert (erased.keys, erased.deliveries) == (rehearsed.keys, rehearsed.deliveries)
    assert told_of(parts, ana) == []
    assert told_of(parts, others)
    verdict = parts.ledger.verdict(erased.decision)
    assert verdict is not None
    assert verdict.outcome is Outcome.APPLIED

    result = verified(parts)
    assert {found.area: found.first for found in result.findings if not found.holds} == {}
    assert result.of(Area.SIGNATURES).unchecked > 0
    assert f"by decision {erased.decision}: the signature can no longer be checked" in (
        result.of(Area.SIGNATURES).first_unchecked
    )
    for area in (Area.SEALS, Area.LEDGER, Area.CERTIFICATES):
        assert result.of(area).checked >= before.of(area).checked
    assert result.state_hash == lived.state_hash
    traced = trace_delivery(wiring.tracing(parts), webhook)
    assert not traced.is_proved
    assert "personal values were erased on" in traced.signature
    assert traced.body_sha256 == webhook.body_sha256

    again = erased_by(parts, ana)
    assert (again.keys, again.deliveries, again.rejected, again.decision) == (0, 0, 0, "")
    assert ana.email.encode() not in written(lived.home, but=("rejected.db", "rejected.db-wal"))
    assert not any(
        ana.email.encode() in delivery.body or ana.number.encode() in delivery.body
        for delivery, _ in parts.rejected.rejected()
    )


def test_an_event_that_comes_again_after_an_erasure_is_the_same_event(lived: Lived, parts: EmbeddedParts) -> None:
    """Asiento takes a repeated webhook for a duplicate though its passenger has another key by now."""
    someone = max(lived.people, key=lambda each: len(told_of(parts, each)))
    webhook = next(each for each in told_of(parts, someone) if each.channel is Channel.WEBHOOK)
    came = parts.protection.restored(webhook)
    assert isinstance(came, Delivery)
    erased_by(parts, someone)
    again = Delivery(
        new_delivery_id(line.now()), came.provider, came.channel, line.now(), came.target, came.headers, came.body
    )
    parts.raw.create_all([again])
    parts.bus.publish_all([again.announcement])
    line.drain(parts)
    verdict = parts.ledger.verdict(again.delivery_id)
    assert verdict is not None
    assert verdict.outcome is Outcome.DUPLICATE
    assert isinstance(parts.protection.restored(webhook), Erasure)
    assert parts.protection.restored(parts.raw.read(again.object_name)) == again
    assert state_hash(parts.ledger.entities()) == lived.state_hash


def test_keeping_again_what_is_there_changes_nothing(lived: Lived, parts: EmbeddedParts) -> None:
    """Asiento recognises a delivery whose keeping was answered and whose answer was lost: same keys, same bytes."""
    someone = max(lived.people, key=lambda each: len(told_of(parts, each)))
    kept = told_of(parts, someone)[0]
    came = parts.protection.restored(kept)
    assert isinstance(came, Delivery)
    parts.raw.create_all([came])
    assert parts.raw.read(kept.object_name) == kept


def test_what_was_turned_away_compressed_is_forgotten_too(lived: Lived, parts: EmbeddedParts) -> None:
    """Asiento looks into the compressed content of what the door rejected: an erasure forgets it with its person."""
    someone = max(lived.people, key=lambda each: len(told_of(parts, each)))
    came = parts.protection.restored(next(each for each in told_of(parts, someone) if each.channel is Channel.WEBHOOK))
    assert isinstance(came, Delivery)
    content = json.loads(came.body)
    packed = base64.b64encode(gzip.compress(json.dumps(content["data"]).encode())).decode()
    body = json.dumps({**content, "enc": "gzip", "data": packed}).encode()
    forged = replace(came, delivery_id=new_delivery_id(line.now()), body=body)
    parts.rejected.keep(forged, "signature_wrong")
    assert someone.email.encode() not in body
    assert erased_by(parts, someone).rejected >= 1
    assert forged.delivery_id not in {each.delivery_id for each, _ in parts.rejected.rejected()}


def test_a_decision_names_every_key_that_goes(lived: Lived, parts: EmbeddedParts) -> None:
    """Asiento erases no key that its decision does not name: one that a webhook makes meanwhile lives until the next run."""
    someone = max(lived.people, key=lambda each: len(told_of(parts, each)))
    address = parts.protection.name(identifier_text("email", someone.email))
    erasing = wiring.erasing(parts)
    booked_meanwhile: list[str] = []

    def signed_late(body: bytes, secret: str, at: datetime) -> Mapping[str, str]:
        booked_meanwhile.append(
            parts.protection.keys.keys_of({"another-customer": {address}})["another-customer"].key_id
        )
        return erasing.deciding.sign(body, secret, at)

    slow = replace(erasing, deciding=replace(erasing.deciding, sign=signed_late))
    identifiers = [identifier_text("email", someone.email)]
    erased = erase(identifiers, slow, ERASED_AT, by="mlopez", reason="request 118")
    decision = next(each for each in parts.raw.deliveries(ALL_TIME) if each.delivery_id == erased.decision)
    named = json.loads(decision.body)["key_ids"]
    assert len(named) == erased.keys
    assert set(parts.protection.keys.keys(named).values()) == {Erasure(ERASED_AT, erased.decision)}
    assert parts.protection.keys.find([address]) == booked_meanwhile
    assert erased_by(parts, someone).keys == 1


def test_an_erasure_says_who_and_why(parts: EmbeddedParts) -> None:
    """Asiento erases nobody without a login, a reason and somebody to erase."""
    erasing, at = wiring.erasing(parts), ERASED_AT
    with pytest.raises(TerminalError, match="login"):
        erase(["email::x@y.example"], erasing, at, by="M López", reason="r")
    with pytest.raises(TerminalError, match="reason"):
        erase(["email::x@y.example"], erasing, at, by="mlopez", reason=" ")
    with pytest.raises(TerminalError, match="say whom"):
        erase([], erasing, at, by="mlopez", reason="r")


def asiento(home: Path, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["erase", "--home", str(home), *arguments])


def test_the_command_erases_by_what_is_known(lived: Lived, parts: EmbeddedParts) -> None:
    """Asiento's command takes customer numbers, rehearses when asked, and says by counts what became unreadable."""
    someone = max(lived.people, key=lambda each: len(told_of(parts, each)))
    who = ("--customer", f"betterez:{someone.number}", "--by", "mlopez", "--reason", "request 119")
    rehearsed = json.loads(asiento(lived.home, *who, "--dry-run", "--json").stdout)
    assert rehearsed["keys"] == 1
    assert told_of(parts, someone)
    told = asiento(lived.home, *who)
    assert told.exit_code == 0, told.output
    assert f"1 keys erased; {rehearsed['deliveries']} deliveries" in told.stdout
    assert someone.number not in told.output
    assert told_of(parts, someone) == []
    for wrong in (("--customer", "C1"), ("--email", " "), ()):
        refused = asiento(lived.home, *wrong, "--by", "mlopez", "--reason", "r")
        assert refused.exit_code == 1
        assert "SettingsError" in repr(refused.exception)
