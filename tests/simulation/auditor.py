"""The auditor: books of its own, from the company's records and from what was acknowledged, compared after every step.

It shares no code with fold, settle or any verb: what an entity says it reads from the bytes of the ledger, what an event
speaks of from the bytes of the delivery.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from local.demo.figures import COUNTED_AND_SUMMED
from local.simulator import Figures
from shared.domain.deliveries import Delivery
from shared.domain.facts import EntityKey
from shared.domain.outcomes import Outcome
from shared.domain.settle import Effects
from shared.pipeline.rebuild_bi import RebuildResult
from tests.simulation.memory.casebook import MemoryCasebook
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.memory.raw_store import MemoryRawStore
from tests.simulation.town import WEBHOOK_SECRETS, Town

_WITH_MONEY = ("sale", "ticket", "payment", "refund")


class ViolationError(BaseException):
    """Something that must always hold does not. No `except Exception` of the product may hide it."""

    def __init__(self, invariant: str, what: str) -> None:
        """Name the invariant (docs/architecture.md) and what was seen."""
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


@dataclass
class Auditor:
    """Watches one world."""

    town: Town
    raw: MemoryRawStore
    ledger: MemoryLedgerStore
    casebook: MemoryCasebook
    situations: Counter[str]
    acknowledged: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    """By object name: the bytes that were answered with yes, and whether they made sense."""
    violation: ViolationError | None = None
    _facts_written: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _attempts: dict[str, int] = field(default_factory=dict)
    _paid_minor: dict[str, int] = field(default_factory=dict)
    _asked_for: set[str] = field(default_factory=set)

    # At the door

    def accepted(self, delivery: Delivery, body: bytes, *, is_forged: bool, makes_sense: bool) -> None:
        """Hear that the door said yes."""
        if is_forged:
            self._violated("I12", f"a forged request of {delivery.provider} was acknowledged")
        self.acknowledged[delivery.object_name] = (body, makes_sense)
        self.situations["acknowledged"] += 1
        self.after_step()

    def logged(self, line: str) -> None:
        """Hear a line of the log."""
        for secret in WEBHOOK_SECRETS.values():
            if secret in line:
                self._violated("I12", "a line of the log holds a signing key")
        for name in self.town.names_of_people:
            if name in line:
                self._violated("I12", f"a line of the log holds a passenger's name: {line[:80]}")

    # After every step

    def after_step(self) -> None:
        """Check that everything acknowledged is there, byte for byte."""
        objects = self.raw.objects
        for name, (body, _) in self.acknowledged.items():
            kept = objects.get(name)
            if kept is None:
                self._violated("I1", f"{name} was acknowledged and is absent")
            elif kept.body != body:
                self._violated("I2", f"the bytes of {name} have changed")

    def committed(self, effects: Effects) -> None:
        """Check what one transaction wrote."""
        for stored in effects.facts:
            written = (str(stored.fact.key), stored.stamp.event_key, stored.stamp.content_digest)
            self._facts_written[written] += 1
            if self._facts_written[written] > 1:
                self._violated("I4", f"event {written[1]} was applied twice to {written[0]}")
        for key in effects.entities:
            self._check_entity(str(key))
        self._check_totals()
        self._asked_for.update(str(message.key) for message in effects.outbox)
        for verdict in effects.verdicts:
            self._check_attempts(verdict.delivery_id, len(verdict.attempts))
            self.situations[f"outcome {verdict.outcome.value}"] += 1
            if verdict.outcome is Outcome.APPLIED:
                self._check_whole(verdict.object_name)

    def _check_entity(self, key: str) -> None:
        kind = key.partition(":")[0]
        values = self._values(key)
        true = self.town.truth.get(key)
        if kind in _WITH_MONEY and true is None:
            self._violated("I12", f"{key} is in the ledger and was never in the company's records")
        for name, value in (true or {}).items():
            if name in values and _is_fixed(name) and values[name] != value:
                self._violated("I6", f"{key}.{name} is {values[name]} and was {value}")
        if kind == "payment" and "amount_minor" in values:
            self._paid_minor[key] = values["amount_minor"]

    def _check_totals(self) -> None:
        """Check that no provider's payments ever come to more than the truth."""
        for provider in ("betterez", "stripe", "mercadopago"):
            prefix = f"payment:{provider}:"
            held = sum(amount for key, amount in self._paid_minor.items() if key.startswith(prefix))
            true = sum(int(each["amount_minor"]) for key, each in self.town.truth.items() if key.startswith(prefix))
            if held > true:
                self._violated("I4", f"payments of {provider} come to {held}, and {true} was paid")

    def _check_attempts(self, delivery_id: str, attempts: int) -> None:
        if attempts < self._attempts.get(delivery_id, 0):
            self._violated("I5", f"an attempt on delivery {delivery_id} was forgotten")
        self._attempts[delivery_id] = attempts

    def _check_whole(self, name: str) -> None:
        """Check that with an outcome came what it stands for: what the event tells of, or the wish to fetch it."""
        delivery = self.raw.objects.get(name)
        if delivery is None:
            self._violated("I8", f"{name} was applied and was never kept")
        for key in _told_of(delivery):
            if not self._values(key) and key not in self._asked_for:
                self._violated("I7", f"{name} counts as applied, and {key} is neither there nor asked for")

    # At rest

    def at_rest(self) -> None:
        """Check what must hold when everything that can happen has happened."""
        self._check_outcomes()
        self._check_model()
        self._check_nothing_open()

    def _check_outcomes(self) -> None:
        alarmed = {each.subject for each in self.casebook.exceptions()}
        for name, delivery in self.raw.objects.items():
            verdict = self.ledger.verdicts_by_id.get(delivery.delivery_id)
            if verdict is None:
                self._violated("I5", f"{name} has no outcome")
            _, makes_sense = self.acknowledged.get(name, (b"", True))
            is_held = verdict.outcome in (Outcome.QUARANTINED, Outcome.FAILED, Outcome.CONFLICT)
            if is_held is makes_sense and name in self.acknowledged:
                invariant = "I5" if makes_sense else "I13"
                self._violated(invariant, f"{name} ended as {verdict.outcome.value}: {verdict.reason}")
            if is_held and delivery.delivery_id not in alarmed:
                self._violated("I13", f"{name} ended as {verdict.outcome.value} and nobody is told")

    def _check_model(self) -> None:
        for key, true in self.town.truth.items():
            values = self._values(key)
            for name, value in true.items():
                if values.get(name) != value:
                    self._violated("I3", f"{key}.{name} is {values.get(name)} at rest and should be {value}")

    def _check_nothing_open(self) -> None:
        for difference in self.casebook.open_differences():
            self._violated("I5", f"still open: {difference.mismatch.key} {difference.mismatch.type.value}")
        for status in self.casebook.status():
            if status.is_failing:
                self._violated("I13", f"{status.job} {status.provider} is failing still: {status.error}")
        if self.ledger.outbox_depth():
            self._violated("I7", f"{self.ledger.outbox_depth()} fetches were never made")

    # In the warehouse

    def published(self, result: RebuildResult) -> None:
        """Check that what a rebuild certified is what the company's books say of that month, figure by figure."""
        for judgement in result.certified:
            month, currency, business_unit = judgement.grain
            books = asdict(self.town.season.books.months.get((month, currency, business_unit), Figures()))
            for name, (in_count, in_sum) in COUNTED_AND_SUMMED.items():
                figure = judgement.figure(name)
                held, true = (figure.ledger_count, figure.ledger_minor), (books[in_count], books[in_sum])
                if held != true:
                    self._violated(
                        "I9", f"{name} of {judgement.grain} is certified as {held}, and the books say {true}"
                    )

    def all_published(self, result: RebuildResult) -> None:
        """Check that every month of the books is certified at rest, unless something senseless stands in its way."""
        is_any_held = any(not makes_sense for _, makes_sense in self.acknowledged.values())
        if is_any_held and not result.refused:
            self._violated("I13", "deliveries are quarantined and no month is refused")
        if result.refused and not is_any_held:
            judgement = result.refused[0]
            self._violated(
                "I9", f"{judgement.grain} is refused although nothing is missing: {judgement.differences[0].text}"
            )
        judged = {tuple(judgement.grain) for judgement in (*result.certified, *result.refused)}
        if missing := sorted(set(self.town.season.books.months) - judged):
            self._violated("I9", f"{missing} are neither certified nor refused")

    # For all of these

    def same_state(self, invariant: str, told: str, held: str, expected: str) -> None:
        """Check two state hashes."""
        if held != expected:
            self._violated(invariant, f"the state hash is {held[:12]}, and {told} gives {expected[:12]}")

    def _values(self, key: str) -> dict[str, Any]:
        """Return what the bytes of the ledger say of an entity."""
        document = self.ledger.documents.get(EntityKey.parse(key))
        registers = json.loads(document)["registers"] if document else {}
        return {name: register[0] for name, register in registers.items()}

    def _violated(self, invariant: str, what: str) -> NoReturn:
        self.violation = self.violation or ViolationError(invariant, what)
        raise self.violation


def _is_fixed(name: str) -> bool:
    """Return whether a value may never be another: amounts of things other than sales, whose total may grow."""
    return name.endswith("_minor") and name != "total_minor"


def _told_of(delivery: Delivery) -> Iterator[str]:
    """Yield the keys of what a webhook says something of, by a reading of our own."""
    if delivery.channel.value != "webhook":
        return
    told = json.loads(delivery.body)
    if delivery.provider == "mercadopago" and told["type"] == "payment":
        yield f"payment:mercadopago:{told['data']['id']}"
    elif (
        delivery.provider == "stripe" and told["type"].startswith("charge.") and "charge" not in told["data"]["object"]
    ):
        yield f"payment:stripe:{told['data']['object']['id']}"
    elif delivery.provider == "betterez" and told["event"].startswith("transaction."):
        yield f"sale:betterez:{(told['data'].get('transaction') or told['data'])['_id']}"
    elif delivery.provider == "betterez" and told["event"] == "ticket.created":
        yield f"ticket:betterez:{told['data'].get('ticket', told['data'])['_id']}"
