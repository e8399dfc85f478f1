"""The whole line on one machine, verb after verb: what the doors, the bus and the scheduler do in the cloud."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from multiprocessing.synchronize import Event
from pathlib import Path
from time import sleep

from local.simulator import Secrets, Send
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import NotFoundError, RefusedError, TransientError
from shared.domain.facts import EntityKind
from shared.domain.reconciliation import LISTING_JOB, ReconciliationRun
from shared.domain.times import ALL_TIME, Window
from shared.pipeline import derive, receive, reconcile
from shared.pipeline.reconciliation.awaited import awaited
from shared.ports.event_bus import Leased
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.parts import Parts
from shared.runtime.settings import Settings

BATCH = 500
PASSES_MAX = 6
"""Passes of reconcile before an open difference is believed to stay."""
_IDLE_S = 0.02

Settle = Callable[[Parts], int]
"""Has everything derived that was announced, and returns how many deliveries that was."""


def now() -> datetime:
    """Return this instant."""
    return datetime.now(UTC)


def drain(parts: Parts) -> int:
    """Derive everything that the bus holds and that is due, in batches; return how many deliveries that was.

    On Google Cloud that is none: there the bus itself pushes to the derive door.
    """
    if not isinstance(parts, EmbeddedParts):
        return 0
    world = wiring.deriving(parts)
    count = 0
    while leased := parts.bus.lease(BATCH, now()):
        count += _derive_leased(parts, world, leased)
    return count


def _derive_leased(parts: EmbeddedParts, world: derive.Deriving, leased: list[Leased]) -> int:
    lease_ids = [each.lease_id for each in leased]
    try:
        derive.derive([each.announcement.object_name for each in leased], world, now())
    except (TransientError, NotFoundError) as failure:
        if isinstance(failure, NotFoundError) and len(leased) > 1:
            # A pointer to nothing must not hold up its neighbours: each by itself, and only that one comes again.
            return sum(_derive_leased(parts, world, [each]) for each in leased)
        parts.bus.release(lease_ids, now())
        return 0
    parts.bus.acknowledge(lease_ids)
    return len(leased)


@contextmanager
def deriving_beside(settings: Settings) -> Iterator[None]:
    """Derive in a process of its own while the caller goes on; at the end, wait until the bus is empty."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    worker = context.Process(target=_derive_until, args=(settings, stop), name="derive")
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def _derive_until(settings: Settings, stop: Event) -> None:
    parts = wiring.parts(settings)
    try:
        while True:
            was_stopped = stop.is_set()
            if not drain(parts):
                if was_stopped:
                    return
                sleep(_IDLE_S)
    finally:
        parts.close()


def receive_all(parts: Parts, sends: Iterable[Send], secrets: Secrets) -> Iterator[int]:
    """Receive requests without HTTP, in order, through the same verb as the door; yield how many were taken at a time."""
    world = wiring.receiving(parts)
    waiting = iter(sends)

    async def take(batch: list[Send]) -> None:
        at = now()
        await asyncio.gather(*(_receive_one(world, each, secrets, at) for each in batch))

    with asyncio.Runner() as runner:
        while batch := list(islice(waiting, BATCH)):
            runner.run(take(batch))
            yield len(batch)


def derive_all(parts: Parts, sends: Iterable[Send], secrets: Secrets) -> Iterator[int]:
    """Derive requests in order, without door, store and bus between; yield how many were taken at a time."""
    world = wiring.deriving(parts)
    waiting = iter(sends)
    while batch := list(islice(waiting, BATCH)):
        at = now()
        derive.derive_deliveries([delivered(send, secrets, at) for send in batch], world, at)
        yield len(batch)


def delivered(send: Send, secrets: Secrets, at: datetime) -> Delivery:
    """Return a request as the door would keep it."""
    request = send.request(secrets, at)
    delivery_id, provider = new_delivery_id(at), send.emission.provider
    return Delivery(delivery_id, provider, Channel.WEBHOOK, at, request.target, request.headers, request.body)


async def _receive_one(world: receive.Receiving, send: Send, secrets: Secrets, at: datetime) -> None:
    request = send.request(secrets, at)
    call = receive.Call(send.emission.provider, request.target, request.headers, request.body)
    try:
        await receive.receive(call, world, at)
    except RefusedError:
        return  # kept apart and counted by the verb itself


def reconcile_until_closed(parts: Parts, window: Window, settle: Settle = drain) -> list[ReconciliationRun]:
    """Run every job and derive what it fetched, pass after pass, until nothing is open or a pass brings nothing new.

    The season is over, so nothing that others point at is waited for any longer. After the first pass only what is still
    open is compared again: a difference is closed by a comparison of its own window that no longer finds it.
    """
    with wiring.reconciling(parts) as world:
        fetch_until_done(parts, world, settle)
        runs = awaited(world, now(), ask_after=timedelta(0))
        runs += reconcile.run_all(world, window, now())
        again = reconcile.sharing_listings(world)
        for _ in range(PASSES_MAX):
            derived = settle(parts)
            if not derived and not parts.ledger.outbox_depth():
                break
            for narrowed, span in _still_open(again):
                runs += reconcile.reconcile("transactions", narrowed, span, now())
            runs += awaited(world, now(), ask_after=timedelta(0))
            for job in ("fetches", "exceptions"):
                runs += reconcile.reconcile(job, world, window, now())
        for narrowed, span in _still_incomplete(again):
            runs += reconcile.reconcile("completeness", narrowed, span, now())
        for job, span in _open_with_others(world):
            runs += reconcile.reconcile(job, world, span, now())
    return runs


def _still_open(world: reconcile.Reconciling) -> list[tuple[reconcile.Reconciling, Window]]:
    """Return, for each provider, kind and window with an open difference, a world that asks for nothing else."""
    found = {
        (difference.mismatch.key.provider, difference.mismatch.key.kind, difference.window)
        for difference in world.casebook.open_differences()
        if difference.job == LISTING_JOB
    }
    in_order = sorted(found, key=lambda each: (each[0], each[1], each[2].start))
    return [(_narrowed(world, provider, kind), span) for provider, kind, span in in_order]


def _open_with_others(world: reconcile.Reconciling) -> list[tuple[str, Window]]:
    """Return, for each other job with open differences, the spans in which it has seen them; those that touch are one."""
    found = {(each.job, each.window) for each in world.casebook.open_differences() if each.job != LISTING_JOB}
    spans: list[tuple[str, Window]] = []
    for job, window in sorted(found, key=lambda each: (each[0], each[1].start)):
        if spans and spans[-1][0] == job and window.start <= spans[-1][1].end:
            known = spans[-1][1]
            spans[-1] = job, Window(known.start, max(known.end, window.end))
        else:
            spans.append((job, window))
    return spans


def _still_incomplete(world: reconcile.Reconciling) -> list[tuple[reconcile.Reconciling, Window]]:
    """Return, for each provider and kind of which days were certified with gaps, a world that asks for nothing else."""
    days: dict[tuple[str, EntityKind], list[date]] = {}
    for each in world.casebook.completeness():
        if not each.is_complete:
            days.setdefault((each.provider, each.kind), []).append(each.day)
    return [(_narrowed(world, *of), Window.of_days(found[0], found[-1])) for of, found in days.items()]


def _narrowed(world: reconcile.Reconciling, provider: str, kind: EntityKind) -> reconcile.Reconciling:
    asked = world.counterparties[provider]
    only = reconcile.Counterparty(replace(asked.capabilities, listings=(kind,)), asked.api)
    return replace(world, counterparties={provider: only})


def fetch_until_done(parts: Parts, world: reconcile.Reconciling, settle: Settle = drain) -> None:
    """Fetch what events point at, and derive the answers, until nothing is asked for any more."""
    while parts.ledger.outbox_depth():
        reconcile.reconcile("fetches", world, ALL_TIME, now())
        if not settle(parts):
            return


def secrets_folder(home: Path, webhook: Secrets, api: Secrets) -> None:
    """Write the secrets of a simulation where its embedded world looks for them."""
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for suffix, values in (("webhook", webhook), ("api", api)):
        for provider, value in values.items():
            path = folder / f"{provider}-{suffix}"
            path.write_text(value + "\n", encoding="utf-8")
            path.chmod(0o600)
