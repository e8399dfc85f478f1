"""The automatic rate: how many of the payments that came in found their sale without a person."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.deliveries import Channel
from shared.domain.facts import EntityKind
from shared.domain.fold import Entity
from shared.domain.settlements import is_due
from shared.domain.times import Window, from_ms
from shared.ports.casebook import Casebook
from shared.ports.ledger_store import LedgerStore

WAITING = timedelta(hours=24)
"""How long a payment may wait for what it points at before it counts as floating; then `awaited` makes it an exception."""
TARGET_PPM = 999_900
"""99.99 %: what a clean season comes to."""
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class AutomaticRate:
    """Of the payments of a period: how many were matched by themselves, by a person, and not at all."""

    by_itself: int
    """It points at what the ledger describes, and no difference about it is open."""
    by_a_person: int
    """A person corrected a link of it, or accepted or wrote off what was wrong with it."""
    waiting: int
    """What it points at has not come yet and is not late; it counts neither way."""
    floating: int
    """It points at nothing, at what is late, or differs from what the provider says."""

    @property
    def payments(self) -> int:
        """Return how many payments there are to judge."""
        return self.by_itself + self.by_a_person + self.floating

    @property
    def ppm(self) -> int | None:
        """Return the rate in millionths, never rounded up; None where there is no payment."""
        return self.by_itself * _PPM // self.payments if self.payments else None

    @property
    def is_as_intended(self) -> bool:
        """Return whether the rate is at least that of a clean season."""
        return self.ppm is not None and self.ppm >= TARGET_PPM

    def __str__(self) -> str:
        """Show the rate for people: `99.9900 %`."""
        ppm = self.ppm
        return "no payments" if ppm is None else f"{ppm // 10_000}.{ppm % 10_000:04d} %"


NO_PAYMENTS = AutomaticRate(0, 0, 0, 0)


def automatic_rate(ledger: LedgerStore, casebook: Casebook, window: Window, now: datetime) -> AutomaticRate:
    """Judge every payment that came in within a window, platform's and processors' alike.

    Memory holds what is awaited, what differs and what was decided; the payments are streamed.
    """
    judge = _Judge(ledger, casebook, now)
    came_in = (each for each in ledger.entities(EntityKind.PAYMENT) if _came_in(each, window))
    found = Counter(map(judge.verdict_on, came_in))
    return AutomaticRate(found["by_itself"], found["by_a_person"], found["waiting"], found["floating"])


class _Judge:
    """What is known of all payments, asked once."""

    def __init__(self, ledger: LedgerStore, casebook: Casebook, now: datetime) -> None:
        self._awaited = {entity.key for entity in ledger.awaited(now)}
        self._late = {entity.key for entity in ledger.awaited(now - WAITING)}
        self._differing = {each.mismatch.key for each in casebook.open_differences(kind=EntityKind.PAYMENT)}
        self._decided = {
            str(decision.values["subject"]).split(" ")[0]
            for decision in ledger.entities(EntityKind.DECISION)
            if decision.values["decision"] != "assign"
        }

    def verdict_on(self, payment: Entity) -> str:
        """Return the name of the count that a payment belongs to."""
        if str(payment.key) in self._decided or _is_corrected(payment):
            return "by_a_person"
        targets = {key for _, key in payment.links()}
        if not targets or payment.has_conflict or payment.key in self._differing or targets & self._late:
            return "floating"
        return "waiting" if targets & self._awaited else "by_itself"


def _came_in(payment: Entity, window: Window) -> bool:
    at_ms = payment.occurred_at_ms
    return at_ms is not None and window.start <= from_ms(at_ms) < window.end and is_due(payment)


def _is_corrected(payment: Entity) -> bool:
    """Return whether a link stands by a person's word."""
    return any(payment.registers[name][1].rank == Channel.MANUAL.rank for name, _ in payment.links())
