"""Breaks on purpose: for each invariant a defect that somebody could really write, and that the simulation must catch."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError, TransientError, UnreadableError
from shared.domain.facts import EntityKey, Fact, Reading, Stamp, Value, Version
from shared.domain.fold import Entity
from shared.domain.money import Money
from shared.domain.outcomes import Outcome
from shared.domain.personal import Found, PersonalFields
from shared.domain.sealed_values import open_values
from shared.domain.settle import Derivation, Effects, EventMark, _Settlement, settle
from shared.pipeline import derive, erase, readmit, rebuild_bi, receive
from shared.pipeline.protecting import AES_256_GCM, Protection
from shared.pipeline.reconciliation import completeness, exceptions, fetches, inbox, stragglers
from shared.pipeline.reconciliation.recording import Report
from shared.pipeline.take_in import take_in
from shared.ports.inbox import Dropped
from shared.ports.key_store import Erasure, Key
from shared.ports.raw_store import Created
from shared.providers.betterez import translate as betterez
from shared.providers.mercadopago import report
from shared.providers.mercadopago import translate as mercadopago
from shared.providers.operator import translate as operator
from shared.providers.statement import report as statement
from shared.providers.toolkit import json_body, registry
from tests.simulation.auditor import ViolationError
from tests.simulation.memory.key_store import MemoryKeyStore
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.memory.raw_store import MemoryRawStore
from tests.simulation.runs import Simulation


@dataclass(frozen=True, slots=True)
class Break:
    """One defect: the invariant that it breaks, what it is, and how it gets into the product."""

    invariant: str
    defect: str
    put_in: Callable[[], AbstractContextManager[Any]]
    seen_as: tuple[str, ...] = ()
    """Under which other promise the defect may show first."""


@dataclass(frozen=True, slots=True)
class Caught:
    """How a defect was caught: by which invariant's check, in which seed, and after how many steps in all."""

    by: str
    seed: int
    steps: int
    what: str


def hunt(simulation: Simulation, defect: Break, seeds: Sequence[int]) -> Caught | None:
    """Run seeds with a defect in the product until it is caught; None if it never is."""
    steps = 0
    for seed in seeds:
        simulation.prepare(seed)
        try:
            with defect.put_in():
                steps += simulation.run(seed).steps
        except ViolationError as violation:
            noted = violation.__notes__[0].partition("step ")[2]
            return Caught(violation.invariant, seed, steps + int(noted.partition(",")[0]), str(violation))
    return None


def _method(owner: Any, name: str, broken: Callable[..., Any]) -> Callable[[], AbstractContextManager[Any]]:
    """Return what replaces a function or method; the broken one is given the sound one first."""
    sound = getattr(owner, name)

    def instead(*args: Any, **kwargs: Any) -> Any:
        return broken(sound, *args, **kwargs)

    return partial(patch.object, owner, name, instead)


# I1, I2: the bytes


async def _acknowledge_anyway(sound: Any, call: receive.Call, world: receive.Receiving, now: datetime) -> Delivery:
    async def hopeful(delivery: Delivery) -> Created:
        try:
            return await world.keep(delivery)
        except TransientError:
            return Created.CREATED

    delivery: Delivery = await sound(call, replace(world, keep=hopeful), now)
    return delivery


def _tidy_up(sound: Any, store: MemoryRawStore, names: Sequence[str]) -> list[Delivery]:
    for name in names:
        try:
            tidy = json.dumps(json.loads(store.objects[name].body)).encode()
        except ValueError:
            continue
        store.objects[name] = replace(store.objects[name], body=tidy)
    read: list[Delivery] = sound(store, names)
    return read


# I3, I4: the fold and the mark


def _number_rows_anew(sound: Any, line: Any, entity_id: str) -> Any:
    return sound(line, f"{entity_id}-{next(_ROWS)}")


def _latest_timestamp_wins(_sound: Any, entity: Entity, name: str, value: Value, stamp: Stamp) -> bool:
    standing = entity.registers.get(name)
    if standing is not None and standing[1].at_ms >= stamp.at_ms:
        return False
    entity.registers[name] = (value, stamp)
    return True


def _forget_the_mark(
    sound: Any, settlement: _Settlement, derivation: Derivation, reading: Reading, mark: EventMark | None
) -> EventMark:
    marked: EventMark = sound(settlement, derivation, reading, mark)
    settlement._effects.marks.clear()
    return marked


# I1, I12: what people handle


def _take_away_first(_sound: Any, taking: Any, dropped: Dropped) -> None:
    body = taking._intake.inbox.read(dropped)
    taking._intake.inbox.remove(dropped)
    take_in(dropped.path, body, dropped.provider, taking._intake.taking, taking._world.clock.now())


def _forget_first(_sound: Any, delivery: Delivery, world: readmit.Readmitting) -> None:
    world.rejected.discard(delivery)
    world.raw.create_all([delivery])


def _let_everybody_in(_sound: Any, *_: Any) -> None:
    """Find no reason against anybody."""


# I5, I6: outcomes and amounts


def _drop_the_unreadable(_sound: Any, derivations: Sequence[Derivation], *args: Any, **kwargs: Any) -> Effects:
    return settle([each for each in derivations if not isinstance(each.result, UnreadableError)], *args, **kwargs)


def _announce_nothing(_sound: Any, *_: Any) -> Any:
    return Report({"kept": 0, "announced_again": 0})


def _by_way_of_float(sound: Any, amount: Any, currency: str) -> Money:
    sound(amount, currency)  # what it refuses is still refused
    return Money(currency, int(float(amount) / 0.01))


@contextmanager
def _floats_everywhere() -> Iterator[None]:
    with (
        _method(betterez, "from_major", _by_way_of_float)(),
        _method(mercadopago, "from_major", _by_way_of_float)(),
    ):
        yield


# I7, I8: the transaction, and what the ledger is made of


def _outbox_afterwards(sound: Any, store: MemoryLedgerStore, effects: Effects) -> None:
    sound(store, replace(effects, outbox=[]))
    if effects.outbox:
        store._between()
        sound(store, Effects(outbox=effects.outbox))


def _apply_without_keeping(_sound: Any, fetching: Any, batch: Any) -> None:
    deliveries = list(batch.deliveries.values())
    providers = {each.provider: registry.load(each.provider) for each in deliveries}
    world = derive.Deriving(providers, fetching._world.raw, fetching._world.ledger, "broken")
    derive.derive_deliveries(deliveries, world, fetching._now)


# I9, I12, I13: publication, the door, the alarm


def _believe(sound: Any, candidates: Any, figures: Any, _differences: Any, open_month: str) -> Any:
    return sound(candidates, figures, [], open_month)


def _trust_everybody(_sound: Any, *_: Any) -> None:
    """Check nothing."""


async def _log_the_body(sound: Any, call: receive.Call, world: receive.Receiving, now: datetime) -> Delivery:
    receive.log.info("received", body=call.body.decode(errors="replace"))
    delivery: Delivery = await sound(call, world, now)
    return delivery


def _certify_with_gaps(sound: Any, *args: Any) -> Any:
    return replace(sound(*args), gaps=(), gap_count=0)


def _note_nothing(_sound: Any, *_: Any) -> dict[str, int]:
    return {}


def _guess_unknown_events(_sound: Any, *_: Any) -> Any:
    return [], []


# What is about people

_REMEMBERED: dict[str, bytes] = {}


def _leave_the_last_open(sound: Any, *args: Any) -> Found:
    found: Found = sound(*args)
    return Found(found.pieces[:-1], found.people)


def _remember_keys(sound: Any, protection: Protection, delivery: Delivery) -> Delivery | Erasure:
    restored: Delivery | Erasure = sound(protection, delivery)
    try:
        return open_values(delivery, _REMEMBERED, AES_256_GCM) if isinstance(restored, Erasure) else restored
    except TerminalError:
        return restored


def _remembering(sound: Any, store: MemoryKeyStore, *args: Any) -> dict[str, Key]:
    made: dict[str, Key] = sound(store, *args)
    _REMEMBERED.update((key.key_id, key.secret) for key in made.values())
    return made


@contextmanager
def _keys_that_live_on() -> Iterator[None]:
    with (
        _method(MemoryKeyStore, "keys_of", _remembering)(),
        _method(Protection, "restored", _remember_keys)(),
    ):
        yield


def _find_nobody(_sound: Any, *_: Any) -> list[Delivery]:
    return []


def _as_it_is(_sound: Any, canonical: bytes) -> bytes:
    return canonical


def _state_the_decision_alone(sound: Any, *args: Any) -> Any:
    return sound(*args)[:1]


def _lowest_generation(_sound: Any, issue: Any, key: EntityKey, values: dict[str, Value]) -> Fact:
    return Fact(key, Version(10**12 - issue.rank), values)


def _do_not_look_at_the_quarantined() -> AbstractContextManager[Any]:
    seen = (Outcome.CONFLICT, Outcome.FAILED)
    return patch.object(Outcome, "needs_attention", property(lambda outcome: outcome in seen))


_ROWS = count()

BREAKS = (
    Break("I1", "the door takes a failed write for a kept delivery", _method(receive, "receive", _acknowledge_anyway)),
    Break(
        "I1", "a file leaves the inbox before its bytes are kept", _method(inbox._TakingAll, "_keep", _take_away_first)
    ),
    Break("I1", "what was turned away is forgotten before it is kept", _method(readmit, "_enter", _forget_first)),
    Break("I2", "reading a raw object writes its JSON back tidied up", _method(MemoryRawStore, "read_all", _tidy_up)),
    Break(
        "I3",
        "the latest timestamp wins, ties go to whoever came first",
        _method(Entity, "_join_latest", _latest_timestamp_wins),
        ("I8",),
    ),
    Break("I4", "the mark of an event is not written", _method(_Settlement, "_mark", _forget_the_mark)),
    Break(
        "I4",
        "the same row of a report is another one in each file",
        _method(report, "_fact", _number_rows_anew),
        ("I5",),
    ),
    Break("I3", "what people correct is not stated", _method(operator, "_facts", _state_the_decision_alone), ("I13",)),
    Break("I4", "the first generation of a statement stands for ever", _method(statement, "_fact", _lowest_generation)),
    Break(
        "I4", "another key of a person makes another event", _method(json_body, "without_values", _as_it_is), ("I5",)
    ),
    Break(
        "I5",
        "a delivery that cannot be read is dropped without an outcome",
        _method(derive, "settle", _drop_the_unreadable),
    ),
    Break(
        "I5",
        "what was lost on the way is not announced again",
        _method(stragglers, "_announce_again", _announce_nothing),
    ),
    Break("I6", "amounts pass through a float", _floats_everywhere, ("I3",)),
    Break("I7", "the outbox is written after the transaction", _method(MemoryLedgerStore, "write", _outbox_afterwards)),
    Break(
        "I8",
        "fetched answers are applied without being kept",
        _method(fetches._Fetching, "_keep", _apply_without_keeping),
    ),
    Break("I9", "a month is published whatever its checks say", _method(rebuild_bi, "judge", _believe)),
    Break("I12", "signatures are not checked", _method(receive, "verify", _trust_everybody)),
    Break("I12", "readmission trusts whoever was turned away", _method(readmit, "_why_refused", _let_everybody_in)),
    Break("I12", "the door logs the bodies that it receives", _method(receive, "receive", _log_the_body)),
    Break("I12", "one personal value is left open", _method(PersonalFields, "find", _leave_the_last_open)),
    Break("I12", "a key is remembered after it was erased", _keys_that_live_on),
    Break("I12", "what was turned away outlives the erasure of its person", _method(erase, "_told_of", _find_nobody)),
    Break(
        "I13",
        "an unknown event type is taken for one without money",
        _method(betterez, "refuse_event_type", _guess_unknown_events),
    ),
    Break(
        "I13", "a day is certified whatever is missing of it", _method(completeness, "certificate", _certify_with_gaps)
    ),
    Break("I13", "what people decide closes nothing", _method(exceptions, "note_decisions", _note_nothing)),
    Break("I13", "nobody is told of quarantined deliveries", _do_not_look_at_the_quarantined),
)
"""Every break, in the order of the invariants."""
