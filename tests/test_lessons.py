"""What others learned the hard way, one regression each, by the name of the system and its issue (docs/lessons.md)."""

import asyncio
import re
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jiter
import pytest

from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.contracts.comparison import ChangeKind, compare
from shared.contracts.snapshot import FOLDER, contract, parse
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import RefusedError, TransientError
from shared.domain.facts import EntityKey, EntityKind, Fact, Value
from shared.domain.fold import Entity
from shared.domain.money import AMOUNT_MINOR_MAX
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import Claim, DifferenceType, Pair, Tally, differing
from shared.domain.seals import HOUR
from shared.domain.times import ALL_TIME
from shared.pipeline import seal as sealing
from shared.pipeline.derive import Deriving, derive, derive_deliveries, replay
from shared.pipeline.rebuild_bi import rebuild
from shared.pipeline.receive import Call, receive
from shared.pipeline.reconcile import reconcile
from shared.pipeline.state_hash import state_hash
from shared.providers.toolkit import registry
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.settings import Settings
from tests.bi.small_season import A, SmallSeason, SmallWorld, ticket
from tests.functions.signed import KEY, encoded, event, payment, signature
from tests.infra.terraform import Configuration
from tests.pipeline.small_company import NOON, WEEK, Company, body, refund, sale, sold
from tests.security.mutations import ARRIVAL, webhooks
from tests.simulation.breaks import _latest_timestamp_wins

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "lessons.md"


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company with a provider of its own."""
    with closing(Company(tmp_path / "company")) as opened:
        yield opened


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedParts]:
    """An empty world that listens to the ticketing platform and to Stripe."""
    monkeypatch.setenv("ASIENTO_SECRET_BETTEREZ_WEBHOOK", KEY)
    with closing(wiring.embedded(Settings(home=tmp_path / "home", providers=("betterez", "stripe")))) as opened:
        yield opened


def delivered(content: bytes, at: datetime = ARRIVAL, provider: str = "betterez") -> Delivery:
    """Return a webhook that was kept."""
    return Delivery(new_delivery_id(at), provider, Channel.WEBHOOK, at, f"/{provider}", {}, content)


def state_after(parts: EmbeddedParts, deliveries: Sequence[Delivery], path: Path) -> str:
    """Return the state hash of an empty ledger after these deliveries, one by one."""
    with closing(SqliteLedgerStore(path)) as ledger:
        world = Deriving(wiring.providers(parts.settings), parts.raw, ledger, "test")
        for each in deliveries:
            derive_deliveries([each], world, ARRIVAL)
        return state_hash(ledger.entities())


def one_second_of_stripe() -> list[Delivery]:
    """Return what Stripe tells of one charge that is made and given back, as if all of it were of one second."""
    told: dict[str, list[Delivery]] = {}
    for each in webhooks():
        if each.provider == "stripe":
            content = jiter.from_json(each.body)
            thing = content["data"]["object"]
            content["created"] = 1_772_500_000
            if content["type"].startswith(("charge.", "refund.")) and "dispute" not in content["type"]:
                told.setdefault(thing.get("charge") or thing["id"], []).append(
                    delivered(encoded(content), provider="stripe")
                )
    return max(told.values(), key=len)[:4]


def test_stripe_sync_engine_268_same_second_ties_give_one_state_in_every_order(
    parts: EmbeddedParts, tmp_path: Path
) -> None:
    """Asiento gives one state for events of the same second, whatever their order; the latest timestamp decides nothing."""
    told = one_second_of_stripe()
    assert len(told) >= 3, "a charge, its refund and what follows from it"
    states = {state_after(parts, order, tmp_path / f"{number}.db") for number, order in enumerate(permutations(told))}
    assert len(states) == 1


def test_sync_engine_fork_189_a_failed_job_is_failed_until_it_succeeds(company: Company) -> None:
    """Asiento counts a job that fails for seven days as failed for seven days, and ages it, until it succeeds."""
    company.books.keep(sale(1), sold())
    company.books.outage, company.books.calls_before_outage = TransientError("503"), 0
    began = company.clock.now()
    for _ in range(7):
        reconcile("transactions", company.world, WEEK, company.clock.now())
        company.clock.put_forward(days=1)
    (status,) = (each for each in company.casebook.status() if each.job == "transactions")
    assert status.is_failing
    assert status.last_success_at is None
    assert status.failing_since is not None
    assert company.clock.now() - status.failing_since > timedelta(days=6, hours=23)
    assert status.failing_since >= began
    company.books.outage = None
    company.clock.put_forward(hours=2)
    reconcile("transactions", company.world, WEEK, company.clock.now())
    assert not any(each.is_failing for each in company.casebook.status() if each.job == "transactions")


KILLED = """
    import asyncio, os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from shared.pipeline.receive import Call, receive
    from shared.runtime import wiring
    from shared.runtime.settings import Settings
    from tests.functions.signed import encoded, event, payment, signature

    home, step = Path(sys.argv[1]), sys.argv[2]
    parts = wiring.embedded(Settings(home=home, providers=("betterez",), log_level="error"))
    kept = parts.raw.kept
    sound = {"keep": kept.create_all, "announce": parts.bus.publish_all}
    calls = 0

    def die_in(name, moment):
        def instead(things):
            global calls
            calls += 1
            if calls > 5 and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = sound[name](things)
            if calls > 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return done
        return instead

    moment, name = step.split(" ")
    if name == "keep":
        kept.create_all = die_in(name, moment)
    else:
        parts.bus.publish_all = die_in(name, moment)

    async def main():
        world = wiring.receiving(parts)
        for number in range(20):
            now = datetime.now(UTC)
            content = encoded(event(f"e{number}", payment()))
            call = Call("betterez", "/betterez", signature(content, now), content)
            kept = await receive(call, world, now)
            print(kept.delivery_id, flush=True)

    asyncio.run(main())
"""


@pytest.mark.parametrize("step", ["before keep", "after keep", "before announce", "after announce"])
def test_midaz_1384_2499_nothing_acknowledged_is_absent(parts: EmbeddedParts, step: str) -> None:
    """Asiento holds every delivery that it acknowledged, though the process was killed with -9 in the middle of a step."""
    home = parts.settings.home
    died = subprocess.run(  # noqa: S603  our own code on our own interpreter
        [sys.executable, "-c", textwrap.dedent(KILLED), str(home), step],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "ASIENTO_SECRET_BETTEREZ_WEBHOOK": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    acknowledged = set(died.stdout.split())
    assert len(acknowledged) == 5
    kept = {each.delivery_id for each in parts.raw.deliveries(ALL_TIME)}
    assert acknowledged <= kept
    # What was kept and not acknowledged is announced again; the provider sends it again too.
    assert len(kept) == (5 if step == "before keep" else 6)


def test_midaz_2485_formance_stress_every_delivery_twice_at_once_is_applied_once(parts: EmbeddedParts) -> None:
    """Asiento applies exactly once what several workers derive at the same time, each delivery twice and each event twice."""
    events = [encoded(event(f"e{number}", payment(referenceNumber=f"R{number}"))) for number in range(12)]
    deliveries = [delivered(content) for content in events for _ in range(2)]
    parts.raw.create_all(deliveries)
    world = wiring.deriving(parts)
    names = [each.object_name for each in deliveries] * 2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: derive([name], world, ARRIVAL), names))
    assert parts.ledger.outcome_counts()[Outcome.DUPLICATE] == 12
    assert sum(parts.ledger.outcome_counts().values()) == 24
    payments = list(parts.ledger.entities(EntityKind.PAYMENT))
    assert [len(parts.ledger.facts(each.key)) for each in payments] == [1] * 12


@pytest.mark.parametrize("years", [0, 1, 10])
def test_aws_powertools_8049_a_mark_never_expires(parts: EmbeddedParts, years: int) -> None:
    """Asiento knows an event again an hour, a year and ten years later: the mark of what was applied has no end."""
    content = encoded(event("e1", payment()))
    later = ARRIVAL + timedelta(days=365 * years, hours=2)
    world = wiring.deriving(parts)
    derive_deliveries([delivered(content)], world, ARRIVAL)
    (again,) = derive_deliveries([delivered(content, later)], world, later)
    assert again.outcome is Outcome.DUPLICATE


def test_convoy_2747_bytes_window_and_what_was_rejected_are_there(parts: EmbeddedParts) -> None:
    """Asiento keeps the raw bytes of what it takes, refuses what is replayed late, and keeps apart what it refuses."""
    content = b'{ "id" : "e1",\n\t"unusual":"\\u00e9 spacing" }'
    at = datetime.now(UTC)

    def post(signed_at: datetime) -> None:
        call = Call("betterez", "/betterez", signature(content, signed_at), content)
        asyncio.run(receive(call, wiring.receiving(parts), at))

    post(at)
    assert [each.body for each in parts.raw.deliveries(ALL_TIME)] == [content]
    with pytest.raises(RefusedError, match="signature_stale"):
        post(at - timedelta(hours=1))
    assert [(each.body, reason) for each, reason in parts.rejected.rejected()] == [(content, "signature_stale")]


def test_dj_stripe_832_bytes_before_meaning_and_seen_is_not_processed(company: Company) -> None:
    """Asiento keeps bytes that are no text, and processes what it had merely seen once the code can read it."""
    content = b"\xff\xfe not text"
    delivery_id = company.hear(content)
    company.derive()
    (kept,) = company.raw.deliveries(ALL_TIME)
    assert kept.body == content
    seen = company.ledger.verdict(delivery_id)
    assert seen is not None
    assert seen.outcome is not Outcome.APPLIED

    learned = {"tiny": company.provider}
    with patch("tests.pipeline.small_company.json.loads", lambda _: _statement()):
        world = Deriving(learned, company.raw, company.ledger, "mended")
        ((verdict,),) = replay([kept], world, company.clock.now())
    assert verdict.outcome is Outcome.APPLIED
    assert [attempt.code_version for attempt in verdict.attempts] == ["test", "mended"]


def _statement() -> dict[str, object]:
    content = jiter.from_json(body("e1", (sale(1), 1, sold())))
    assert isinstance(content, dict)
    return content


def test_dj_stripe_1499_what_is_missing_is_swept_for_and_its_closure_proved(company: Company) -> None:
    """Asiento finds what never came, fetches it, and calls the gap closed only when a later comparison says so."""
    company.books.keep(sale(1), sold(10_000))
    reconcile("transactions", company.world, WEEK, company.clock.now())
    assert len(list(company.casebook.open_differences())) == 1
    reconcile("fetches", company.world, WEEK, company.clock.now())
    company.derive()
    assert company.ledger.entity(sale(1)) is not None
    assert len(list(company.casebook.open_differences())) == 1, "fetching alone proves nothing"
    company.clock.put_forward(minutes=10)
    reconcile("transactions", company.world, WEEK, company.clock.now())
    assert list(company.casebook.open_differences()) == []


def test_outpost_670_a_replay_is_an_attempt_of_its_own(company: Company) -> None:
    """Asiento swallows no replay as a duplicate of the attempt that it repeats: each is kept, the last one stands."""
    delivery_id = company.hear(b"no json")
    company.derive()
    world = Deriving({"tiny": company.provider}, company.raw, company.ledger, "later code")
    for _ in range(2):
        list(replay(company.raw.deliveries(ALL_TIME), world, company.clock.now()))
    verdict = company.ledger.verdict(delivery_id)
    assert verdict is not None
    assert [attempt.code_version for attempt in verdict.attempts] == ["test", "later code", "later code"]


def test_pretix_343_a_double_payment_and_its_refund_leave_the_sale_paid(company: Company) -> None:
    """Asiento keeps a sale paid that was paid twice and given back once: a refund is its own thing, and cancels nothing."""
    pays = [EntityKey(EntityKind.PAYMENT, "tiny", f"p{number}") for number in (1, 2)]
    paid: dict[str, Value] = {"sale": str(sale(1)), "amount_minor": 10_000, "currency": "ARS", "status": "success"}
    given_back: dict[str, Value] = {**paid, "payment": str(pays[1]), "refunded_at_ms": 2}
    company.hear(body("sold", (sale(1), 1, sold(10_000)), *((key, 1, dict(paid)) for key in pays)))
    company.hear(body("refunded", (refund(1), 2, given_back)))
    company.derive()
    entity = company.ledger.entity(sale(1))
    assert entity is not None
    assert entity.values["status"] == "paid"
    assert [each.values["status"] for each in company.ledger.entities(EntityKind.PAYMENT)] == ["success", "success"]
    assert sum(1 for _ in company.ledger.entities(EntityKind.REFUND)) == 1


def test_firebase_extensions_1060_754_an_export_is_counted_on_both_sides(parts: EmbeddedParts) -> None:
    """Asiento's export holds each entity once, as many as the ledger, the first time and after exporting all again."""
    true = [each for each in webhooks() if each.provider == "betterez"]
    parts.raw.create_all(true)
    derive([each.object_name for each in true], wiring.deriving(parts), ARRIVAL)
    described = Counter(each.key.kind.value for each in parts.ledger.entities() if not each.is_awaited)
    for day in (1, 2):
        as_of = datetime(2026, 6, day, tzinfo=UTC)
        rebuild(wiring.rebuilding(parts), build_id=new_delivery_id(as_of), as_of=as_of)
        for kind, count in described.items():
            (row,) = parts.warehouse.query(
                f"SELECT COUNT(*) AS count, COUNT(DISTINCT key) AS keys FROM staging.{kind}",  # noqa: S608  a kind
                {},
            )
            assert row == {"count": count, "keys": count}, kind


def test_dlt_2269_what_comes_late_behind_the_mark_is_found(company: Company, parts: EmbeddedParts) -> None:
    """Asiento passes over nothing that appears behind what was already looked at: in comparisons, and in seals."""
    company.books.keep(sale(2), sold(at=NOON))
    company.tell(2, sold(at=NOON))
    reconcile("transactions", company.world, WEEK, company.clock.now())
    company.books.keep(sale(1), sold(at=NOON - timedelta(hours=5)), at=NOON - timedelta(hours=5))
    company.clock.put_forward(minutes=10)
    reconcile("transactions", company.world, WEEK, company.clock.now())
    assert [each.mismatch.key for each in company.casebook.open_differences()] == [sale(1)]

    early, late = delivered(b"1", ARRIVAL), delivered(b"2", ARRIVAL + timedelta(minutes=5))
    parts.raw.create_all([late])
    sealing.seal(wiring.sealing(parts), ARRIVAL + 3 * HOUR)
    parts.raw.create_all([early])
    (made,) = sealing.seal_late(wiring.sealing(parts), ARRIVAL + 4 * HOUR)
    assert [each.body for each in sealing.segment_deliveries(parts.seals, made)] == [b"1"]


def test_dlt_4023_a_load_and_its_record_stand_or_fall_together(
    parts: EmbeddedParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento writes entities, facts and the verdict on their delivery in one transaction, or none of them."""
    came = delivered(encoded(event("e1", payment())))
    parts.raw.create_all([came])
    from shared.adapters.embedded import ledger_store  # noqa: PLC0415  its writing is broken for this test

    sound = ledger_store._write

    def cut_short(*arguments: Any) -> None:
        sound(*arguments)
        raise TransientError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(ledger_store, "_write", cut_short)
        with pytest.raises(TransientError):
            derive([came.object_name], wiring.deriving(parts), ARRIVAL)
    assert list(parts.ledger.entities()) == []
    assert parts.ledger.facts_of_delivery(came.delivery_id) == []
    assert parts.ledger.verdict(came.delivery_id) is None
    (verdict,) = derive([came.object_name], wiring.deriving(parts), ARRIVAL)
    assert verdict.outcome is Outcome.APPLIED


@pytest.mark.parametrize("cent", [-1, 1])
def test_blnk_a_cent_in_the_largest_amount_is_a_difference(cent: int) -> None:
    """Asiento compares in whole minor units with no tolerance: one centavo of ten trillion is found, to the centavo."""
    key, most = sale(1), AMOUNT_MINOR_MAX - 1
    pair = Pair(Claim(key, 0, most + cent, "ARS", "paid"), Claim(key, 0, most, "ARS", "paid"))
    tally = Tally()
    tally.add(pair)
    assert [each.type for each in differing(pair)] == [DifferenceType.AMOUNT_DIFFERS]
    assert tally.drift_minor == {"ARS": cent}


def test_formance_2024_drift_is_seen_from_either_side(company: Company) -> None:
    """Asiento sees what only the provider has, and what only the ledger has, each under its own name."""
    company.books.keep(sale(1), sold(10_000))
    company.tell(2, sold(20_000))
    runs = reconcile("transactions", company.world, WEEK, company.clock.now())
    found = {each.mismatch.key: each.mismatch.type for each in company.casebook.open_differences()}
    assert found == {sale(1): DifferenceType.MISSING_IN_LEDGER, sale(2): DifferenceType.MISSING_AT_PROVIDER}
    assert sum(run.drift_minor.get("ARS", 0) for run in runs) == 10_000 - 20_000


def test_sqlmesh_run_dbt_5660_a_failing_audit_changes_nothing_that_is_live(tmp_path: Path) -> None:
    """Asiento builds aside, audits, then publishes: what people read is the same to the row after a build that failed."""
    season = SmallSeason()
    with closing(SmallWorld(tmp_path)) as world:
        world.keep_and_derive(season.deliveries)
        assert world.rebuild("build-1").refused == ()
        shown = world.shown()
        assert shown
        # Kept and not derived: the two derivations of February disagree.
        later = ticket("T7", "S4", A, 900_000, "2026-02-11 10:00", "2026-02-12 08:00")
        world.raw.create_all([season.platform("t7", "ticket.created", "2026-02-11 10:00", later)])
        assert world.rebuild("build-2").has_failed
        assert world.shown() == shown


def test_svix_y290ybt0l6z6_nothing_that_waits_is_left_out_of_an_alarm(parts: EmbeddedParts, company: Company) -> None:
    """Asiento counts as waiting what is throttled, given back or paused, and its alarm of lag hears every stream."""
    came = [delivered(b"%d" % number) for number in range(3)]
    parts.bus.publish_all([each.announcement for each in came])
    now = datetime.now(UTC)
    (held, *_) = parts.bus.lease(1, now)
    parts.bus.release([held.lease_id], now)
    assert parts.bus.depth() == 3, "what was given back waits like the rest"
    parts.bus.lease(3, now)
    assert parts.bus.depth() == 3, "what is in somebody's hands is not done"

    company.hear(body("thin", wants=(sale(1),)))
    company.derive()
    company.books.outage, company.books.calls_before_outage = TransientError("429"), 0
    for _ in range(2):
        (run,) = reconcile("fetches", company.world, WEEK, company.clock.now())
        assert run.has_failed, "a pause between two tries is no success"
    assert company.ledger.outbox_depth() == 1

    configuration = Configuration.of(REPOSITORY / "infra" / "terraform")
    lag = configuration.resources["google_monitoring_alert_policy", "lag"]
    condition = lag.inside("conditions")[0].inside("condition_threshold")[0].attributes["filter"].text
    stream = configuration.resources["google_pubsub_subscription", "stream"].attributes["name"].text
    prefix = re.search(r'starts_with\(\\"([\w-]+)\\"\)', condition)
    assert prefix is not None
    assert stream.strip('"').startswith(prefix[1])


def test_tigerbeetle_jepsen_2025_the_generator_makes_the_case(tmp_path: Path, parts: EmbeddedParts) -> None:
    """Asiento's season makes the very case that a fold by timestamp alone gets wrong: otherwise no test would notice it."""
    told = one_second_of_stripe()
    whole = [each for each in webhooks() if each.provider != "mercadopago"]

    def states(deliveries: list[Delivery], name: str) -> set[str]:
        orders = (deliveries, deliveries[::-1])
        return {state_after(parts, order, tmp_path / f"{name}{at}.db") for at, order in enumerate(orders)}

    assert _stated_twice_at_once(whole), "the season itself has two statements of one instant about one thing"
    assert len(states(told, "sound")) == 1
    sound = Entity._join_latest
    with patch.object(Entity, "_join_latest", lambda *arguments: _latest_timestamp_wins(sound, *arguments)):
        assert len(states(told, "broken")) == 2


def _stated_twice_at_once(deliveries: Sequence[Delivery]) -> bool:
    """Say whether two events state different things of one entity as of the same instant."""
    seen: dict[tuple[EntityKey, int], Fact] = {}
    for each in deliveries:
        for fact in registry.load(each.provider).read(each).facts:
            before = seen.setdefault((fact.key, fact.version.at_ms), fact)
            if before.version.step != fact.version.step:
                return True
    return False


def test_oasdiff_1160_openapi_diff_793_a_change_inside_a_webhook_is_seen() -> None:
    """Asiento's comparison of contracts looks into the payloads of webhooks, where the money is."""
    document = parse((FOLDER / "betterez" / "openapi.yaml").read_text(encoding="utf-8"))
    changed = deepcopy(document)
    changed["paths"], document["paths"] = {}, {}
    del changed["components"]["schemas"]["Transaction"]["properties"]["total"]
    found = compare(contract(document), contract(changed))
    assert {change.kind for change in found} == {ChangeKind.FIELD_REMOVED}
    assert any("transaction.completed" in change.operation and change.is_money for change in found), found[:1]


# The page


def test_every_lesson_has_its_regression() -> None:
    """Asiento's page of lessons names every regression of this module, and each row names one that is here."""
    told = set(re.findall(r"`tests/test_lessons\.py::(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    here = {name for name in globals() if name.startswith("test_")} - {"test_every_lesson_has_its_regression"}
    assert told == here
    assert len(here) == 19
