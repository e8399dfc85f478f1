"""Asiento lets nothing that cannot succeed hold up what can: in a batch, a fetch, a seal, a rebuild or a replay."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from local import line
from shared.domain.deliveries import Announcement, Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey
from shared.domain.findings import ExceptionKind
from shared.domain.outcomes import Outcome
from shared.domain.seals import HOUR
from shared.domain.times import ALL_TIME
from shared.pipeline import derive as deriving
from shared.pipeline import seal as sealing
from shared.pipeline.rebuild_bi import rebuild
from shared.pipeline.reconcile import reconcile
from shared.ports.provider import Fetched
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.settings import Settings
from tests.bi.small_season import SmallSeason, SmallWorld
from tests.functions.signed import encoded, event, payment
from tests.pipeline.small_company import WEEK, Books, Company, body, sale, sold
from tests.security.mutations import ARRIVAL, PROVIDERS, SEED, mutated, samples, webhooks

AFTERWARDS = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
STRANGE_BODIES = (
    b"", b"\x00", b"\xff\xfe\x00", b"null", b"[]", b"{", b'"text"', b"NaN", b"1e999", b"[" * 5_000,
    b'{"id": "\\ud800"}', b'{"id": "\\u0000"}', b'{"created": 1e400, "data": {"tickets": 5}}',
    b'{"created": "99999999999999999999", "data": {"createdAt": {"value": "0000-99-99"}, "tickets": {"a": 1}}}',
    b'{"created": ' + b"9" * 400 + b"}", b'{"data": {"transaction": {"payments": [null, 1, [], {"amount": "x"}]}}}',
    b'{"id": "e", "id": "f"}', b"\xef\xbb\xbf{}",
)  # fmt: skip
"""What a rebuild must load without stumbling: some of it JSON to one parser and none to another."""


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[EmbeddedParts]:
    """An empty world."""
    with closing(wiring.embedded(Settings(home=tmp_path, providers=PROVIDERS))) as opened:
        yield opened


def good(number: int, at: datetime = ARRIVAL) -> Delivery:
    """Return a delivery that can be read: a sale of its own with its payment."""
    document = event(f"good-{number}", payment(referenceNumber=f"R{number}"))
    document["data"]["transaction"]["_id"] = f"65f0c2aa0123456789{number:06x}"
    return Delivery(new_delivery_id(at), "betterez", Channel.WEBHOOK, at, "/betterez", {}, encoded(document))


def keep(parts: EmbeddedParts, *deliveries: Delivery) -> None:
    """Keep and announce."""
    parts.raw.create_all(deliveries)
    parts.bus.publish_all([each.announcement for each in deliveries])


def test_a_delivery_in_the_middle_of_a_batch(parts: EmbeddedParts) -> None:
    """Asiento applies what stands before and after a delivery that cannot be read, in the same batch."""
    poison = Delivery(new_delivery_id(ARRIVAL), "betterez", Channel.WEBHOOK, ARRIVAL, "/betterez", {}, b"no json")
    keep(parts, *map(good, range(5)), poison, *map(good, range(5, 10)))
    assert line.drain(parts) == 11
    assert Counter(verdict.outcome for verdict in parts.ledger.verdicts()) == {
        Outcome.APPLIED: 10,
        Outcome.QUARANTINED: 1,
    }


@pytest.mark.meets_unforeseen
def test_a_defect_of_ours_in_the_middle_of_a_batch(parts: EmbeddedParts) -> None:
    """Asiento applies what stands before and after a delivery on which our code fails, which is failed and not lost."""
    keep(parts, *map(good, range(3)))
    world, unlucky = wiring.deriving(parts), list(parts.raw.deliveries(ALL_TIME))[1]
    sound = world.providers["betterez"].read

    def failing(delivery: Delivery) -> object:
        if delivery == unlucky:
            raise ZeroDivisionError("Zulema Arrascaeta")
        return sound(delivery)

    object.__setattr__(world.providers["betterez"], "read", failing)
    try:
        verdicts = deriving.derive(list(parts.raw.names(ALL_TIME)), world, ARRIVAL)
    finally:
        object.__setattr__(world.providers["betterez"], "read", sound)
    assert [verdict.outcome for verdict in verdicts] == [Outcome.APPLIED, Outcome.FAILED, Outcome.APPLIED]
    assert "Zulema" not in verdicts[1].reason


@pytest.mark.parametrize("provider", PROVIDERS)
def test_hundreds_of_senseless_deliveries_among_true_ones(parts: EmbeddedParts, provider: str) -> None:
    """Asiento gives each of hundreds of senseless deliveries its outcome, none of them failed, in one batch with true ones."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    random, originals = Random(f"{SEED} {provider}"), samples(provider)  # noqa: S311  a seeded test
    senseless = [mutated(random.choice(originals), random) for _ in range(150)]
    verdicts = deriving.derive_deliveries([*senseless, *map(good, range(5))], wiring.deriving(parts), ARRIVAL)
    assert [verdict.outcome for verdict in verdicts[-5:]] == [Outcome.APPLIED] * 5
    ends = Counter(verdict.outcome for verdict in verdicts)
    assert ends[Outcome.FAILED] == 0
    assert ends[Outcome.QUARANTINED] > 50


def test_a_pointer_to_nothing_in_the_middle_of_a_batch(parts: EmbeddedParts) -> None:
    """Asiento derives what stands beside an announcement whose object is not there; that one alone comes again."""
    keep(parts, good(1), good(2))
    parts.bus.publish_all([Announcement("2026/01/01/00/betterez/webhook/x", "x", "betterez", Channel.WEBHOOK)])
    keep(parts, good(3))
    assert line.drain(parts) == 3
    assert parts.ledger.outcome_counts()[Outcome.APPLIED] == 3
    assert [each.announcement.delivery_id for each in parts.bus.lease(10, line.now() + timedelta(hours=1))] == ["x"]


def test_a_thing_in_the_middle_of_a_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento fetches the others when asking for one thing can never succeed, and hands that one to a person."""
    with closing(Company(tmp_path)) as company:
        for number in range(1, 6):
            company.books.keep(sale(number), sold())
            company.hear(body(f"thin-{number}", wants=(sale(number),)))
        company.derive()
        sound = Books.fetch

        def failing(books: Books, key: EntityKey) -> Fetched:
            if key == sale(3):
                raise TerminalError("GET /sale/s0003 answered 400: the request cannot succeed as it is")
            return sound(books, key)

        monkeypatch.setattr(Books, "fetch", failing)
        (run,) = reconcile("fetches", company.world, WEEK, company.clock.now())
        assert (run.counts["fetched"], run.counts["failed"], run.has_failed) == (4, 1, True)
        assert company.derive() == 4
        assert [each.kind for each in company.casebook.exceptions()] == [ExceptionKind.FETCH_REFUSED]


def test_an_object_in_the_middle_of_a_seal(parts: EmbeddedParts) -> None:
    """Asiento seals an hour whatever its bytes are, and every one of its neighbours with it."""
    strange = [
        Delivery(new_delivery_id(ARRIVAL), "betterez", Channel.WEBHOOK, ARRIVAL, "/betterez", {}, each)
        for each in STRANGE_BODIES
    ]
    parts.raw.create_all([good(1), *strange, good(2)])
    (made, *_) = sealing.seal(wiring.sealing(parts), ARRIVAL + 3 * HOUR)
    assert made.contents.object_count == len(STRANGE_BODIES) + 2
    sealed = list(sealing.segment_deliveries(parts.seals, made))
    assert sorted(each.body for each in sealed) == sorted(each.body for each in parts.raw.deliveries(ALL_TIME))


def test_a_body_in_the_middle_of_a_rebuild(parts: EmbeddedParts) -> None:
    """Asiento rebuilds over bodies that are JSON to one parser and none to another, and over hundreds of senseless ones."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    random = Random(SEED)  # noqa: S311  a seeded test
    strange = [
        Delivery(new_delivery_id(ARRIVAL), provider, channel, ARRIVAL, f"GET /v1/charges/{number}", {}, each)
        for provider in PROVIDERS
        for channel in (Channel.WEBHOOK, Channel.FETCH, Channel.FILE)
        for number, each in enumerate(STRANGE_BODIES)
    ]
    originals = [each for provider in PROVIDERS for each in samples(provider)]
    senseless = [mutated(random.choice(originals), random) for _ in range(300)]
    true = [each for each in webhooks() if each.provider == "betterez"]
    keep(parts, *strange, *senseless, *true)
    line.drain(parts)
    result = rebuild(wiring.rebuilding(parts), build_id=new_delivery_id(AFTERWARDS), as_of=AFTERWARDS)
    assert result.raw_count == len(strange) + len(senseless) + len(true)
    assert {judgement.grain.month for judgement in result.refused} >= {"2026-03"}
    assert all(judgement.differences for judgement in result.refused)


def test_a_month_beside_a_month(tmp_path: Path) -> None:
    """Asiento certifies a month although a delivery of another month cannot be read: absence stays where it belongs."""
    season = SmallSeason()
    season.platform("seats", "seatmap.repainted", "2026-02-10 10:00", {})
    with closing(SmallWorld(tmp_path)) as world:
        world.keep_and_derive(season.deliveries)
        result = world.rebuild("build-1")
    assert {each.grain.month for each in result.certified} == {"2026-01"}
    assert {each.grain.month for each in result.refused} == {"2026-02"}
