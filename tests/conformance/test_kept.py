"""What was kept, read by segment: in every world the same deliveries, in the same order, as reading them one by one."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.seals import Seal
from shared.domain.times import ALL_TIME
from shared.pipeline.kept import Kept, KeptObject
from shared.pipeline.seal import Sealing, seal, seal_late, segment_deliveries
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore
from tests.conformance.samples import NOON, after, delivery

SEED = 4_131
HOURS = 12


def random_deliveries(chance: random.Random, first: int, count: int) -> list[Delivery]:
    """Return deliveries of all providers and channels over half a day, with bodies that are text and bodies that are not."""
    return [
        delivery(
            number,
            body=chance.choice((b"", b'{"amount":1}', "Córdoba".encode(), bytes(chance.choices(range(256), k=40)))),
            received_at=NOON + timedelta(seconds=chance.randrange(HOURS * 3600)),
            provider=chance.choice(("betterez", "mercadopago", "stripe")),
            channel=chance.choice(tuple(Channel)),
        )
        for number in range(first, first + count)
    ]


def read(each: Delivery) -> KeptObject:
    """Return a delivery as one that was read by itself."""
    return KeptObject(each.object_name, each.body_sha256, each)


def names_in(seals: SealStore, of: Seal) -> list[str]:
    """Return the names of what a segment holds."""
    return [each.object_name for each in segment_deliveries(seals, of)]


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_reads_what_the_raw_store_holds(raw_store: RawStore, seal_store: SealStore, seed: int) -> None:
    """Asiento reads the same from segments and single objects, whatever was sealed, came late, or came late and was sealed."""
    print(f"seed {seed}")  # noqa: T201  a failure is replayed from it
    chance, sealing = random.Random(seed), Sealing(raw_store, seal_store, "test")  # noqa: S311  a seeded test
    assert list(Kept(raw_store, seal_store).objects()) == []
    for round_number in range(4):
        raw_store.create_all(random_deliveries(chance, 100 * round_number, 15))
        if chance.random() < 0.5:
            seal_late(sealing, NOON)
        seal(sealing, after(hours=2 * round_number + 1))
        everything = list(raw_store.deliveries(ALL_TIME))
        assert len(everything) == 15 * (round_number + 1)
        assert list(Kept(raw_store, None).objects()) == [read(each) for each in everything]
        kept = Kept(raw_store, seal_store)
        objects = list(kept.objects())
        assert [each[:2] for each in objects] == [read(each)[:2] for each in everything]
        sealed = {name for each in seal_store.seals() for name in names_in(seal_store, each)}
        came = [each for each in everything if each.object_name not in sealed]
        assert [each.delivery for each in objects if each.delivery] == came
        holding = [each for each in seal_store.seals() if each.contents.object_count]
        assert sorted(kept.judged) == sorted(map(seal_store.address, holding))


def test_what_was_sealed_and_is_gone_stops_the_reader(
    raw_store: RawStore, seal_store: SealStore, tmp_path: Path
) -> None:
    """Asiento builds nothing on a raw store that has lost what it once sealed, and names the first that is gone."""
    whole = SqliteRawStore(tmp_path / "whole.db")
    came = [delivery(1), delivery(2), delivery(3, received_at=after(hours=1))]
    whole.create_all(came)
    seal(Sealing(whole, seal_store, "test"), after(hours=3))
    whole.close()
    raw_store.create_all([came[0], came[2]])
    with pytest.raises(TerminalError, match=f"raw object {came[1].object_name} was sealed and is gone"):
        list(Kept(raw_store, seal_store).objects())
