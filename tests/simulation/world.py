"""A world: the four verbs over ports in memory, driven by one seed through a storm and then left in peace."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random

from local.simulator import Chaos, Kind, Plan, Send
from shared.domain.deliveries import OPERATOR, STATEMENT, Delivery
from shared.domain.errors import RefusedError, TransientError
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.settle import Effects
from shared.domain.times import ALL_TIME, Window, to_ms
from shared.pipeline import decide, erase, keeping, readmit, reconcile, take_in
from shared.pipeline import derive as deriving
from shared.pipeline import receive as receiving
from shared.pipeline.protecting import ProtectedRawStore, Protection
from shared.pipeline.rebuild_bi import Rebuilding, RebuildResult, rebuild
from shared.pipeline.reconciliation.transactions import weeks_of
from shared.pipeline.state_hash import state_hash
from shared.ports.inbox import Inbox
from shared.ports.key_store import Erasure
from shared.ports.provider import Provider
from shared.ports.warehouse import Warehouse
from shared.providers.operator.signature import sign
from shared.providers.toolkit import registry
from tests.simulation.auditor import Auditor
from tests.simulation.director import Director, Fate
from tests.simulation.guarded import at_once, guarded
from tests.simulation.memory.casebook import MemoryCasebook
from tests.simulation.memory.event_bus import MemoryEventBus
from tests.simulation.memory.inbox import MemoryInbox
from tests.simulation.memory.key_store import MemoryKeyStore
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.memory.raw_store import MemoryRawStore, MemoryRejectedStore
from tests.simulation.office import Office, TownSecrets
from tests.simulation.privacy import Individual
from tests.simulation.town import PROVIDERS, WEBHOOK_SECRETS, Town

MORNING_AFTER = datetime(2026, 4, 1, 12, tzinfo=UTC)
"""The season is over and its months are closed."""
PASSES_MAX = 12
_STORM_ACTIONS_MAX = 6_000
_ATTEMPTS_IN_A_STORM_MAX = 12
_ON_STAGE_MAX = 4
_DECIDING_BEFORE = 1
"""Before which pass of the peace people decide about what is left."""
DECISIONS_IN_PEACE = 3
_GIVES_UP = 0.5
"""How often a sender gives up that a wrong secret turns away: what it sent comes by readmission or not at all."""
_DEADLIER = {
    "stragglers": 5, "awaited": 5, "fetches": 25, "exceptions": 5, "inbox": 25, "decide": 25, "readmit": 5, "erase": 15,
}  # fmt: skip
"""By what the chance to die at a store is multiplied: verbs that take few steps would hardly ever die at each of them."""
_CALLS_AS_ONE = {"rebuild": 100}
"""Verbs of hundreds of steps would never come to an end: so many of their calls are as dangerous as one of another."""
_JOBS = tuple(job.name for job in reconcile.JOBS)


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it is: chances per port call, per request, or per action."""

    fail: float = 0.0
    die: float = 0.0
    power_cut: float = 0.0
    again: float = 0.0
    """That the bus brings what somebody else still holds."""
    answer_lost: float = 0.0
    """That the provider does not hear the yes."""
    late: float = 0.0
    """That a request is under way for longer than its signature is good for."""
    job: float = 0.0
    """That a job of reconcile is started."""
    office: float = 0.0
    """That the company's people do something, or that a provider goes down for a while."""

    @classmethod
    def of(cls, random: Random) -> "Weather":
        """Draw a weather, from a breeze to a hurricane."""
        force = random.choice((0.2, 1.0, 1.0, 3.0))
        return cls(
            fail=0.02 * force,
            die=0.004 * force,
            power_cut=0.002 * force,
            again=0.05,
            answer_lost=0.03 * force,
            late=0.02,
            job=0.012,
            office=0.02,
        )


CALM = Weather()


@dataclass(slots=True, eq=False)
class Posting:
    """A request that a provider keeps posting until it hears a yes."""

    send: Send
    attempt: int
    due_at: datetime

    @property
    def is_forged(self) -> bool:
        """Return whether its signature does not hold."""
        return self.send.kind is Kind.FORGED

    @property
    def makes_sense(self) -> bool:
        """Return whether its content can be read with certainty."""
        return self.send.kind is not Kind.CORRUPTED


class SimClock:
    """The clock of the simulation: it ticks a millisecond whenever it is read."""

    def __init__(self, instant: datetime = MORNING_AFTER) -> None:
        """Start at an instant."""
        self.instant = instant

    def now(self) -> datetime:
        """Return this instant."""
        self.instant += timedelta(milliseconds=1)
        return self.instant

    def put_forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.instant += span


class World:
    """One world in one town. `decide` overrules the weather's fate of each port call: crashes at one chosen step."""

    def __init__(
        self,
        town: Town,
        random: Random,
        weather: Weather = CALM,
        decide: Callable[[str, str], Fate] | None = None,
        *,
        people_err: bool = False,
    ) -> None:
        """Build everything, empty."""
        self.town = town
        self.random = random
        self.weather = weather
        self.situations: Counter[str] = Counter()
        self.clock = SimClock()
        self.raw = MemoryRawStore(self._created)
        self.rejected = MemoryRejectedStore(discarded=self._readmitted)
        self.keys = MemoryKeyStore(random.getrandbits(64))
        self.inbox = MemoryInbox(self._taken_away)
        self.secrets = TownSecrets()
        self.casebook = MemoryCasebook()
        self.director = Director(random, decide or self._fate, self._watch)
        self.bus = MemoryEventBus(random, weather.again)
        self.ledger = MemoryLedgerStore(self._between, self._committed)
        self.auditor = Auditor(
            town, self.raw, self.ledger, self.casebook, self.rejected, self.keys, self.restored, self.situations
        )
        self._numbers = count(1)
        self._down_until: dict[str, datetime] = {}
        self._people_err = people_err
        self._rebuild_fails_in = 0
        """At which of the next calls of rebuilds the other side is down, whatever the weather; 0 for none of them."""
        self._wire()

    def _wire(self) -> None:
        director = self.director
        self.protection = self._protection(director)
        self.protection.name("")  # reads the pepper: whoever is first holds a lock, in which nobody may be paused
        raw = ProtectedRawStore(guarded(self.raw, "raw", director), self.protection)
        ledger = guarded(self.ledger, "ledger", director)
        bus = guarded(self.bus, "bus", director)
        casebook = guarded(self.casebook, "casebook", director)
        rejected = guarded(self.rejected, "rejected", director)
        inbox = guarded(self.inbox, "inbox", director)
        operator, statement = registry.load(OPERATOR), registry.load(STATEMENT)
        self.subscription = bus
        self.receiving = receiving.Receiving(
            providers=self.town.providers,
            secrets=self.secrets,
            keep=keeping.one_by_one(raw, bus),
            rejected=rejected,
            new_delivery_id=self.new_id,
        )
        readers = {**self.town.providers, OPERATOR: operator, STATEMENT: statement}
        self.deriving = deriving.Deriving(readers, raw, ledger, "simulated")
        self.reconciling = reconcile.Reconciling(
            counterparties={
                name: reconcile.Counterparty(
                    self.town.providers[name].capabilities, guarded(self.town.apis[name], f"api.{name}", director)
                )
                for name in PROVIDERS
            },
            raw=raw,
            bus=bus,
            ledger=ledger,
            casebook=casebook,
            clock=self.clock,
            new_delivery_id=self.new_id,
            new_run_id=self.new_id,
            providers=PROVIDERS,
            dead_letters=bus,
            code_version="simulated",
            intake=take_in.Intake(
                inbox, take_in.TakingIn((*PROVIDERS, STATEMENT), raw, bus, self.new_id, _what_travels(statement, inbox))
            ),
        )
        deciding = decide.Deciding(operator, sign, self.secrets, casebook, ledger, raw, bus, self.new_id)
        self.office = Office(
            season=self.town.season,
            deciding=deciding,
            readmitting=readmit.Readmitting(self.town.providers, self.secrets, raw, rejected, bus),
            erasing=erase.Erasing(deciding, self.protection, raw, rejected),
            secrets=self.secrets,
            casebook=self.casebook,
            inbox=self.inbox,
            auditor=self.auditor,
            random=self.random,
            situations=self.situations,
            may_err=self._people_err,
        )

    def _protection(self, director: Director | None = None) -> Protection:
        """Return the product's protection over the keys of this world; without a director nothing of it is a step."""
        fields = {name: each.personal for name, each in self.town.providers.items() if each.personal is not None}
        return Protection(fields, lambda: guarded(self.keys, "keys", director) if director else self.keys)

    def new_id(self, now: datetime) -> str:
        """Return ids in the order of time, then of asking."""
        return f"{to_ms(now):013d}-{next(self._numbers):06d}"

    # What happens at a step

    def _fate(self, actor: str, call: str) -> Fate:
        if not actor or self.weather is CALM:
            return Fate.NOTHING
        self._rebuild_fails_in -= actor == "rebuild"
        if self._is_down(call) or (actor == "rebuild" and not self._rebuild_fails_in):
            self.situations["a provider was down for a while"] += actor != "rebuild"
            return Fate.FAIL_BEFORE
        drawn = self.random.random() * _CALLS_AS_ONE.get(actor, 1)
        is_after = self.random.random() < 0.5
        die = self.weather.die * (1 if call.startswith("api.") else _DEADLIER.get(actor, 1))
        if drawn < die:
            self.situations[f"{actor} died {'after' if is_after else 'before'} {call}"] += 1
            return Fate.DIE_AFTER if is_after else Fate.DIE_BEFORE
        if drawn < die + self.weather.fail:
            self.situations[f"{call} failed {'after' if is_after else 'before'} its effect"] += 1
            return Fate.FAIL_AFTER if is_after else Fate.FAIL_BEFORE
        return Fate.NOTHING

    def _is_down(self, call: str) -> bool:
        until = self._down_until.get(call.split(".")[1]) if call.startswith("api.") else None
        return until is not None and self.clock.instant < until

    def _watch(self, _call: str) -> None:
        self.auditor.after_step()

    def _between(self) -> None:
        self.director.step("ledger.commit", lambda: None)

    def _committed(self, effects: Effects) -> None:
        self.auditor.committed(effects)

    def _created(self, delivery: Delivery) -> None:
        self.auditor.privacy.kept(delivery)

    def restored(self, delivery: Delivery) -> Delivery | Erasure:
        """Return a kept delivery as it came, or that a key of it was erased; no step of anybody's."""
        return self._protection().restored(delivery)

    def _readmitted(self, delivery: Delivery) -> None:
        """Tell the auditor who was let in. Who erases a person discards too, and lets nobody in."""
        if not self.director.on_stage.startswith("erase"):
            self.auditor.readmitted(delivery)

    def _taken_away(self, body: bytes) -> None:
        self.auditor.taken_away(body)

    # The verbs

    def receive(self, posting: Posting, signed_at: datetime) -> bool:
        """Let the door take one request; return whether its sender heard a yes."""
        send = _numbered(posting)
        request = send.request(WEBHOOK_SECRETS, signed_at)
        self.auditor.posted(request, signed_at, is_forged=posting.is_forged, makes_sense=posting.makes_sense)
        call = receiving.Call(send.emission.provider, request.target, request.headers, request.body)
        try:
            delivery = at_once(receiving.receive(call, self.receiving, self.clock.now()))
        except RefusedError as refused:
            self.situations[f"refused: {refused.refusal.value}"] += 1
            if not posting.is_forged:
                is_turned_away = send.emission.provider in self.secrets.wrong
                what = "was turned away by a wrong secret" if is_turned_away else "was too late and came again"
                self.situations[f"a genuine request {what}"] += 1
            return False
        except TransientError:
            self.situations["the door asked to be called again"] += 1
            return False
        self.auditor.accepted(delivery, request.body, is_forged=posting.is_forged, makes_sense=posting.makes_sense)
        return True

    def derive(self, limit: int) -> int:
        """Derive what the bus holds; return how many deliveries that was."""
        leased = self.subscription.lease(limit, self.clock.now())
        if not leased:
            return 0
        lease_ids = [each.lease_id for each in leased]
        self.situations["an announcement came again"] += sum(each.attempt > 1 for each in leased)
        try:
            deriving.derive([each.announcement.object_name for each in leased], self.deriving, self.clock.now())
        except TransientError:
            self.situations["derive gave its announcements back"] += 1
            self.subscription.release(lease_ids, self.clock.now())
            return 0
        self.subscription.acknowledge(lease_ids)
        return len(leased)

    def reconcile(self, job: str, window: Window) -> list[ReconciliationRun]:
        """Run one job. Stragglers are looked for among what came lately; the other windows are of the season."""
        now = self.clock.now()
        window = Window(now - timedelta(days=7), now) if job == "stragglers" else window
        runs = reconcile.reconcile(job, self.reconciling, window, now)
        for run in runs:
            self.situations[f"a run of {job} failed"] += run.has_failed
            self.situations["a difference was opened"] += run.opened
            self.situations["a difference was closed"] += run.closed
            self.situations["a lost delivery was announced again"] += run.counts.get("announced_again", 0)
            self.situations["something was fetched"] += run.counts.get("fetched", 0)
            self.situations["a file waited for its mapping"] += run.counts.get("left", 0) if job == "inbox" else 0
            self.situations["a file was taken in"] += run.counts.get("taken_in", 0) if job == "inbox" else 0
            self.situations["a file was set aside"] += run.counts.get("set_aside", 0)
        self.auditor.certified_complete(self.casebook.completeness())
        return runs

    # The story

    def live_through(self, postings: list[Posting]) -> None:
        """Let a storm go over the town, then peace; then check what must hold at rest."""
        waiting = self.storm(postings)
        self.find_peace(waiting)

    def find_peace(self, waiting: list[Posting], decisions: int = DECISIONS_IN_PEACE) -> None:
        """Let everything arrive, be derived and be reconciled, without accidents, until nothing changes any more.

        After the first pass people decide so many times about what is left.
        """
        self.weather = CALM
        self.director.finish()
        self.office.readmit()
        self._erase_again()
        while self.office.to_drop:
            self.office.drop_next()
        for posting in waiting:
            self.receive(posting, self.clock.now())
        self.reconcile("inbox", self._whole_window)
        self._drain()
        for number in range(PASSES_MAX):
            cases = self._cases()
            if number == _DECIDING_BEFORE:
                for _ in range(decisions):
                    self.office.decide(self.clock.now)
            self.clock.put_forward(timedelta(hours=1))
            runs = [run for job in _JOBS for run in self.reconcile(job, self._whole_window)]
            derived = self._drain()
            is_quiet = not derived and not any(run.opened or run.closed or run.has_failed for run in runs)
            if is_quiet and self._cases() == cases:
                break
        self.situations["contended"] = self.ledger.contended
        self.situations["given to two at once"] = self.bus.leased_beside
        self.auditor.at_rest()
        before = self.hash
        self._erase_again()
        self._drain()
        self.auditor.privacy.at_rest()
        self.auditor.privacy.forgotten(self.office.asked_to_forget)
        self.auditor.same_state("I3", "the ledger before people were erased", self.hash, before)
        kept = list(self.raw.deliveries(ALL_TIME))
        self.auditor.same_state("I3", "deriving everything backwards", self.hash, self._replayed(kept[::-1]))
        self.auditor.same_state("I8", "replaying the raw store into an empty ledger", self.hash, self._replayed(kept))

    def _cases(self) -> list[tuple[str, bool, str]]:
        """Return which exceptions there are, which of them are open, and what of people's decisions has reached them."""
        known = self.casebook.exceptions(is_open=None)
        return sorted((each.exception_id, each.is_open, repr(each.decision)) for each in known)

    def _erase_again(self) -> None:
        """Erase everybody who ever asked for it: what broke off is finished, and who was told of again is forgotten again."""
        self._erase(self.office.asked_to_forget)

    def erase_everybody(self) -> None:
        """Erase all people of the town, one after the other, and let their decisions arrive."""
        self._erase(self.auditor.privacy.people)
        self._drain()

    def _erase(self, people: Sequence[Individual]) -> None:
        for whom in people:
            self.director.start("erase again", partial(self.office.erase, whom, self.clock.now))
            self.director.finish()

    @property
    def _whole_window(self) -> Window:
        """All that a storm looked at: whole weeks, from the Monday before the first day."""
        return Window(weeks_of(self.town.window)[0].start, self.town.window.end)

    @property
    def hash(self) -> str:
        """The state hash of the ledger."""
        return state_hash(self.ledger.entities())

    @property
    def hash_of_told(self) -> str:
        """The state hash of what providers tell and people have corrected, without what else people decide."""
        return _hash_of_told(self.ledger)

    def hash_of_told_if_decided(self, decisions: Sequence[Delivery]) -> str:
        """Return what that hash would be if people had decided so here; this world stays as it is."""
        ledger = self.ledger.copy()
        if decisions:
            deriving.derive_deliveries(decisions, replace(self.deriving, ledger=ledger), self.clock.now())
        return _hash_of_told(ledger)

    @property
    def decisions(self) -> list[Delivery]:
        """What people decided about exceptions, as it is kept."""
        return [each for each in self.raw.objects.values() if each.provider == OPERATOR]

    def _replayed(self, deliveries: Sequence[Delivery]) -> str:
        empty = MemoryLedgerStore()
        world = replace(self.deriving, raw=self.raw, ledger=empty)
        for _ in deriving.replay(deliveries, world, self.clock.now()):
            pass
        return state_hash(empty.entities())

    def _drain(self) -> int:
        derived = 0
        for _ in range(10_000):
            count_now = self.derive(50)
            derived += count_now
            if not count_now and not self.bus.depth():
                return derived
            if not count_now:
                self.clock.put_forward(timedelta(minutes=11))
        raise AssertionError("the bus never becomes empty")

    def storm(self, postings: list[Posting]) -> list[Posting]:
        """Let accidents happen until all that was posted is derived; return what no sender has heard a yes to."""
        waiting = list(postings)
        for _ in range(_STORM_ACTIONS_MAX):
            if not waiting and not self.director.actors and not self.bus.depth():
                break
            self.clock.put_forward(timedelta(milliseconds=self.random.randrange(400)))
            self._act(waiting)
        self._aftermath()
        return waiting

    def rebuild(self, warehouse: Warehouse, name: str) -> RebuildResult:
        """Rebuild the analytics layer from the world as it stands, and let the auditor see what is certified."""
        director = self.director
        parts = Rebuilding(
            self.deriving.raw,
            self.deriving.ledger,
            self.reconciling.casebook,
            guarded(warehouse, "warehouse", director),
            "simulated",
        )
        now = self.clock.now()
        result = rebuild(parts, build_id=f"{self.new_id(now)}-{name}", as_of=now)
        self.auditor.published(result)
        return result

    def rebuild_in_a_storm(self, warehouse: Warehouse) -> None:
        """Rebuild while others derive, reconcile and rebuild too, in the weather of the storm, with gaps still open.

        One of the two rebuilds fails at a drawn call, so that no weather spares it.
        """
        self._rebuild_fails_in = self.random.randrange(20, 100)
        for name in ("early", "beside"):
            self.director.start("rebuild", partial(self._rebuild_or_fail, warehouse, name))
        self.director.start("derive", lambda: self._derive_in_a_storm(8))
        self._start_job("transactions")
        self.director.finish()

    def _rebuild_or_fail(self, warehouse: Warehouse, name: str) -> None:
        self.situations["two rebuilds at once"] += sum(each.name == "rebuild" for each in self.director.actors) > 1
        try:
            result = self.rebuild(warehouse, name)
        except TransientError:
            self.situations["a rebuild failed and published nothing"] += 1
            return
        self.situations["a month was refused while gaps were open"] += len(result.refused)

    def _aftermath(self) -> None:
        """Let every job run in the same weather, now and then twice at once, with deriving beside it."""
        for job in _JOBS * 2:
            for _ in range(self.random.choice((1, 1, 2))):
                self._start_job(job)
            self.director.start("derive", lambda: self._derive_in_a_storm(8))
            self.director.finish()

    def _act(self, waiting: list[Posting]) -> None:
        draw = self.random.random()
        on_stage = len(self.director.actors)
        if draw < self.weather.power_cut:
            self._cut_power()
        elif on_stage >= _ON_STAGE_MAX or (on_stage and draw < 0.75):
            self.director.go_on()
        elif self.random.random() < self.weather.job:
            self._start_job(self.random.choice(_JOBS))
        elif self.random.random() < self.weather.office:
            self._start_in_the_office()
        elif waiting and self.random.random() < 0.6:
            self._start_receiving(waiting)
        else:
            limit = self.random.choice((1, 1, 3, 8))
            self.situations["two derives at once"] += any(each.name == "derive" for each in self.director.actors)
            self.director.start("derive", lambda: self._derive_in_a_storm(limit))

    def _cut_power(self) -> None:
        self.situations["a power cut with verbs under way"] += bool(self.director.kill_all())
        lost = self.bus.cut_power()
        self.situations["announcements were lost in a power cut"] += lost
        self.situations["power cuts"] += 1

    def _start_job(self, job: str) -> None:
        window = self.random.choice(weeks_of(self.town.window))
        self.clock.put_forward(timedelta(minutes=self.random.choice((1, 5, 30))))
        self.situations[f"two runs of {job} at once"] += any(each.name == job for each in self.director.actors)

        def work() -> None:
            try:
                self.reconcile(job, window)
            except TransientError:
                self.situations["a job could not even record its run"] += 1

        self.director.start(job, work)

    def _start_in_the_office(self) -> None:
        """Let people do something, or a provider go down for a while."""
        act = self.random.choice(
            ("drop", "drop", "drop", "decide", "decide", "mistype", "readmit", "outage", "outage", "erase")
        )
        if act == "drop":
            self.office.drop_next()
        elif act == "mistype":
            self.office.mistype_a_secret()
        elif act == "outage":
            span = timedelta(minutes=self.random.choice((5, 60, 240)))
            self._down_until[self.random.choice(PROVIDERS)] = self.clock.instant + span
        elif act == "erase":
            self._start_erasing(self.office.hear_of_somebody())
        else:
            work = self.office.readmit if act == "readmit" else lambda: self.office.decide(self.clock.now)
            self.director.start(act, lambda: self._or_give_up(act, work))

    def _start_erasing(self, whom: Individual) -> None:
        self.director.start("erase", lambda: self._or_give_up("erase", lambda: self.office.erase(whom, self.clock.now)))

    def _or_give_up(self, act: str, work: Callable[[], None]) -> None:
        try:
            work()
        except TransientError:
            self.situations[f"{act} failed and said so"] += 1

    def _start_receiving(self, waiting: list[Posting]) -> None:
        posting = waiting.pop(self.random.randrange(min(len(waiting), 30)))
        signed_at = self.clock.now()
        if self.random.random() < self.weather.late:
            self.clock.put_forward(timedelta(minutes=6))

        def work() -> None:
            was_heard = self.receive(posting, signed_at) and self.random.random() >= self.weather.answer_lost
            gives_up = posting.send.emission.provider in self.secrets.wrong and self.random.random() < _GIVES_UP
            if (was_heard or posting.is_forged or gives_up) and posting in waiting:
                waiting.remove(posting)

        # Until its sender has heard a yes it will come again, whatever becomes of this attempt.
        posting.attempt += 1
        waiting.append(posting)
        self.director.start("receive", work)

    def _derive_in_a_storm(self, limit: int) -> None:
        try:
            self.derive(limit)
        except TransientError:
            self.situations["derive could not reach the bus"] += 1


def _what_travels(statement: Provider, inbox: Inbox) -> Callable[[str, str, str], Mapping[str, str]]:
    """Return what says of a file which mapping travels with it: of the bank's statement the one that is declared."""

    def travelling(provider: str, file_name: str, mapping: str) -> Mapping[str, str]:
        if provider != STATEMENT or statement.file_headers is None:
            return take_in.nothing_travels(provider, file_name, mapping)
        return statement.file_headers(file_name, mapping, inbox.mappings())

    return travelling


def _numbered(posting: Posting) -> Send:
    """Return the request with the number of its attempt."""
    return posting.send._replace(attempt=posting.attempt)


def _hash_of_told(ledger: MemoryLedgerStore) -> str:
    return state_hash(each for each in ledger.entities() if each.key.provider != OPERATOR)


def postings_of(town: Town, chaos: Chaos) -> list[Posting]:
    """Return what the providers will post. Oversized bodies are stopped before any verb sees them, so none is posted."""
    sends = [send for send in Plan(town.season, chaos).sends() if send.flaw != "oversized"]
    return [Posting(send, send.attempt, MORNING_AFTER) for send in sends]


def undisturbed(town: Town) -> World:
    """Return a world in which everything came once and in order, and people decided nothing."""
    world = World(town, Random(0))  # noqa: S311  a seed is the point
    world.find_peace(postings_of(town, Chaos()), decisions=0)
    return world
