"""Asiento takes back in what a wrong secret turned away, exactly once, and nothing that was never genuine."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import RefusedError, SettingsError, TransientError
from shared.domain.outcomes import Outcome
from shared.domain.seals import HOUR
from shared.domain.times import ALL_TIME
from shared.pipeline import derive as deriving
from shared.pipeline import seal as sealing
from shared.pipeline.readmit import ALREADY_KEPT_OTHERWISE, Readmission, Remaining, readmit
from shared.pipeline.receive import Call, receive
from shared.pipeline.state_hash import state_hash
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.settings import Settings
from tests.conformance.samples import NOON
from tests.functions.signed import encoded, event, payment, signature

RIGHT, WRONG = "the-right-key", "a-wrong-key"
DAY = timedelta(days=1)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[EmbeddedParts]:
    """A world whose secret is wrong."""
    write_secret(tmp_path, WRONG)
    with closing(wiring.embedded(Settings(home=tmp_path, providers=("betterez", "stripe")))) as opened:
        yield opened


def write_secret(home: Path, *versions: str) -> None:
    """Make these versions live."""
    (home / "secrets").mkdir(parents=True, exist_ok=True)
    (home / "secrets" / "betterez-webhook").write_text("\n".join(versions))


_numbers = count(1)


def post(parts: EmbeddedParts, at: datetime = NOON, key: str = RIGHT, signed_at: datetime | None = None) -> bytes:
    """Post one sale of its own to the door, which turns it away; return its bytes."""
    number = next(_numbers)
    body = encoded(event(f"e{number}", payment(referenceNumber=f"R{number}")))
    call = Call("betterez", "/betterez", signature(body, signed_at or at, key), body)
    with pytest.raises(RefusedError):
        asyncio.run(receive(call, wiring.receiving(parts), at))
    return body


def run(
    parts: EmbeddedParts, *, provider: str = "", since: datetime | None = None, rehearse: bool = False
) -> Readmission:
    """Readmit."""
    return readmit(wiring.readmitting(parts), provider=provider, since=since, is_rehearsal=rehearse)


def kept(parts: EmbeddedParts) -> list[Delivery]:
    """Return what the raw store holds."""
    return list(parts.raw.deliveries(ALL_TIME))


def derive_all(parts: EmbeddedParts) -> list[Outcome]:
    """Derive what is announced; return every outcome."""
    names = [each.announcement.object_name for each in parts.bus.lease(1_000, NOON + DAY)]
    deriving.derive(names, wiring.deriving(parts), NOON + DAY)
    return [verdict.outcome for verdict in parts.ledger.verdicts()]


def test_what_a_wrong_secret_turned_away_enters_as_it_came(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento readmits a genuine delivery with its own id, instant, headers and bytes, and derives it like any other."""
    bodies = [post(parts, NOON + timedelta(minutes=number)) for number in range(3)]
    turned_away = [delivery for delivery, _ in parts.rejected.rejected()]
    write_secret(tmp_path, RIGHT)
    assert run(parts) == Readmission({"betterez": 3}, {}, is_rehearsal=False)
    assert kept(parts) == turned_away
    assert [each.body for each in turned_away] == bodies
    assert list(parts.rejected.rejected()) == []
    assert derive_all(parts) == [Outcome.APPLIED] * 3


def test_the_ledger_is_as_if_it_had_been_let_in_at_once(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento's ledger after a readmission has the state hash that it would have had with the right secret all along."""
    bodies = [post(parts) for _ in range(5)]
    write_secret(tmp_path, RIGHT)
    run(parts)
    derive_all(parts)
    write_secret(tmp_path / "straight", RIGHT)
    with closing(wiring.embedded(Settings(home=tmp_path / "straight", providers=("betterez",)))) as straight:
        for body in bodies:
            call = Call("betterez", "/betterez", signature(body, NOON, RIGHT), body)
            asyncio.run(receive(call, wiring.receiving(straight), NOON))
        derive_all(straight)
        assert state_hash(straight.ledger.entities()) == state_hash(parts.ledger.entities())


def test_a_second_run_changes_nothing(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento may be told to readmit as often as one likes."""
    post(parts)
    write_secret(tmp_path, RIGHT)
    run(parts)
    before = kept(parts), parts.bus.depth()
    assert run(parts) == Readmission({}, {}, is_rehearsal=False)
    assert (kept(parts), parts.bus.depth()) == before


def test_a_rehearsal_changes_nothing(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento says what it would readmit without keeping, announcing or forgetting anything."""
    post(parts)
    post(parts, key="forged")
    write_secret(tmp_path, RIGHT)
    wrong = Remaining("betterez", "signature_wrong", "signature_wrong")
    assert run(parts, rehearse=True) == Readmission({"betterez": 1}, {wrong: 1}, is_rehearsal=True)
    assert (kept(parts), parts.bus.depth(), len(list(parts.rejected.rejected()))) == ([], 0, 2)


def test_what_was_never_genuine_stays_outside(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento leaves forged, stale, early and unsigned deliveries where they are, and says of each why it remains."""
    post(parts, key="forged")
    post(parts, signed_at=NOON - DAY)
    post(parts, signed_at=NOON + DAY)
    with pytest.raises(RefusedError):
        asyncio.run(receive(Call("betterez", "/betterez", {}, b"{}"), wiring.receiving(parts), NOON))
    write_secret(tmp_path, RIGHT)
    assert run(parts).remaining == {
        Remaining("betterez", "signature_wrong", "signature_wrong"): 1,
        # With the right secret it shows that they were not sent when they claim to have been.
        Remaining("betterez", "signature_wrong", "signature_stale"): 1,
        Remaining("betterez", "signature_wrong", "signature_from_future"): 1,
        Remaining("betterez", "signature_missing", "signature_missing"): 1,
    }
    assert kept(parts) == []


def test_the_replay_window_is_that_of_the_arrival(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento readmits weeks later what was fresh when it came: the window is measured at its arrival, not today."""
    post(parts, NOON - 30 * DAY)
    write_secret(tmp_path, RIGHT)
    assert run(parts).readmitted == {"betterez": 1}


def test_a_missing_secret_is_told_apart(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento keeps what came while there was no secret at all, and readmits it once there is one."""
    (tmp_path / "secrets" / "betterez-webhook").unlink()
    post(parts)
    assert [reason for _, reason in parts.rejected.rejected()] == ["no_secret"]
    assert run(parts).remaining == {Remaining("betterez", "no_secret", "no_secret"): 1}
    write_secret(tmp_path, RIGHT)
    assert run(parts).readmitted == {"betterez": 1}


def test_a_secret_that_was_taken_back_readmits_nothing(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento never readmits what was signed with a leaked secret: only the live ones count, whatever was live then."""
    write_secret(tmp_path, RIGHT, WRONG)
    post(parts, key="leaked-and-revoked")
    assert run(parts).readmitted == {}


def test_only_what_is_asked_for(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento readmits one provider's deliveries, or those since a day, and leaves the others for later."""
    post(parts, NOON - DAY)
    post(parts, NOON)
    write_secret(tmp_path, RIGHT)
    assert run(parts, provider="stripe") == Readmission({}, {}, is_rehearsal=False)
    assert run(parts, since=NOON).readmitted == {"betterez": 1}
    assert [each.received_at for each, _ in parts.rejected.rejected()] == [NOON - DAY]
    with pytest.raises(SettingsError, match="betterez"):
        run(parts, provider="nobody")


def test_a_run_that_breaks_off_is_run_again(
    parts: EmbeddedParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento forgets a rejected delivery only when it is kept and announced, wherever a run breaks off."""
    for _ in range(3):
        post(parts)
    write_secret(tmp_path, RIGHT)
    sound, calls = parts.bus.publish_all, count(1)

    def failing(announcements: object) -> None:
        if next(calls) == 2:
            raise TransientError("the bus is down")
        sound(announcements)  # type: ignore[arg-type]  # what comes is passed on

    monkeypatch.setattr(parts.bus, "publish_all", failing)
    with pytest.raises(TransientError):
        run(parts)
    assert (len(kept(parts)), len(list(parts.rejected.rejected()))) == (2, 2)
    assert run(parts).readmitted == {"betterez": 2}
    assert derive_all(parts) == [Outcome.APPLIED] * 3


def test_one_that_cannot_be_kept_does_not_hold_up_the_others(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento overwrites nothing: a rejected delivery whose name holds other bytes remains, and the next ones enter."""
    for minute in range(3):
        post(parts, NOON + timedelta(minutes=minute))
    taken = next(delivery for delivery, _ in parts.rejected.rejected())
    held = Delivery(
        taken.delivery_id, taken.provider, Channel.WEBHOOK, taken.received_at, taken.target, {}, b"other bytes"
    )
    parts.raw.create_all([held])
    write_secret(tmp_path, RIGHT)
    result = run(parts)
    assert result.readmitted == {"betterez": 2}
    assert result.remaining == {Remaining("betterez", "signature_wrong", ALREADY_KEPT_OTHERWISE): 1}
    assert parts.raw.read(taken.object_name) == held


def test_an_hour_that_was_sealed_is_amended(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento seals by an addendum what is readmitted under an hour that was sealed without it."""
    post(parts)
    write_secret(tmp_path, WRONG)
    other = encoded(event("other", payment()))
    call = Call("betterez", "/betterez", signature(other, NOON, WRONG), other)
    asyncio.run(receive(call, wiring.receiving(parts), NOON))
    wired = wiring.sealing(parts)
    assert sum(each.contents.object_count for each in sealing.seal(wired, NOON + 3 * HOUR)) == 1
    write_secret(tmp_path, RIGHT)
    run(parts)
    assert [(each.is_addendum, each.contents.object_count) for each in sealing.seal_late(wired, NOON + DAY)] == [
        (True, 1)
    ]
