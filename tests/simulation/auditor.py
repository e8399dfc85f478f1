"""The auditor: books of its own, from the company's records and from what was acknowledged, compared after every step.

It shares no code with fold, settle or any verb: what an entity says it reads from the bytes of the ledger, what an event
speaks of from the bytes of the delivery.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from local.demo.figures import COUNTED_AND_SUMMED
from local.simulator import Figures, Request
from shared.domain.completeness import CompletenessCertificate
from shared.domain.deliveries import Delivery
from shared.domain.facts import EntityKey
from shared.domain.outcomes import Outcome
from shared.domain.settle import Effects
from shared.pipeline.rebuild_bi import RebuildResult
from shared.pipeline.verify import Verification
from shared.ports.key_store import Erasure
from tests.simulation.desk import Paper, is_nameless, stated
from tests.simulation.memory.casebook import MemoryCasebook
from tests.simulation.memory.key_store import MemoryKeyStore
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.memory.raw_store import MemoryRawStore, MemoryRejectedStore
from tests.simulation.privacy import Privacy, without_tokens
from tests.simulation.town import OPERATOR_SECRET, WEBHOOK_SECRETS, Town

_WITH_MONEY = ("sale", "ticket", "payment", "refund")
_SETTLING = ("accept", "write_off")
_IN_TIME = timedelta(minutes=4)
"""What takes less has arrived before its signature is stale."""
_SECRETS = (*WEBHOOK_SECRETS.values(), OPERATOR_SECRET)


class ViolationError(BaseException):
    """Something that must always hold does not. No `except Exception` of the product may hide it."""

    def __init__(self, invariant: str, what: str) -> None:
        """Name the invariant (docs/architecture.md) and what was seen."""
        super().__init__(invariant, what)
        self.invariant = invariant
        self.what = what

    def __str__(self) -> str:
        """Say both."""
        return f"{self.invariant}: {self.what}"


class Posted(NamedTuple):
    """A request as its sender knows it: what it bears, whether its signature holds, and whether its content makes sense."""

    headers: frozenset[str]
    signed_at: datetime
    is_forged: bool
    makes_sense: bool


@dataclass
class Auditor:
    """Watches one world."""

    town: Town
    raw: MemoryRawStore
    ledger: MemoryLedgerStore
    casebook: MemoryCasebook
    rejected: MemoryRejectedStore
    keys: MemoryKeyStore
    restored: Callable[[Delivery], Delivery | Erasure]
    situations: Counter[str]
    acknowledged: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    """By object name: the bytes that were answered with yes, and whether they made sense."""
    violation: ViolationError | None = None
    _kept_as: dict[str, Delivery] = field(default_factory=dict)
    """By object name: what was kept of it when it was acknowledged."""
    _facts_written: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _attempts: dict[str, int] = field(default_factory=dict)
    _paid_minor: dict[str, int] = field(default_factory=dict)
    _asked_for: set[str] = field(default_factory=set)
    _posted: dict[bytes, list[Posted]] = field(default_factory=dict)
    _dropped: dict[bytes, bool] = field(default_factory=dict)
    _complete: set[tuple[str, str, date]] = field(default_factory=set)
    _in_the_bytes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the books about people."""
        self.privacy = Privacy(
            self.town.season,
            self.raw,
            self.rejected,
            self.ledger,
            self.keys,
            self.restored,
            self._violated,
            self.situations,
        )

    # At the door

    def posted(self, request: Request, signed_at: datetime, *, is_forged: bool, makes_sense: bool) -> None:
        """Hear of a request before the door sees it."""
        told = Posted(frozenset(request.headers.values()), signed_at, is_forged, makes_sense)
        self._posted.setdefault(request.body, []).append(told)

    def accepted(self, delivery: Delivery, body: bytes, *, is_forged: bool, makes_sense: bool) -> None:
        """Hear that the door said yes."""
        if is_forged:
            self._violated("I12", f"a forged request of {delivery.provider} was acknowledged")
        self._acknowledged(delivery.object_name, body, makes_sense=makes_sense)
        self.situations["acknowledged"] += 1
        self.after_step()

    def _acknowledged(self, name: str, body: bytes, *, makes_sense: bool) -> None:
        """Note what was promised to be kept, and check that it is, byte for byte or closed under the keys of its people."""
        kept = self.raw.objects.get(name)
        if kept is None:
            self._violated("I1", f"{name} was acknowledged and is absent")
        self.privacy.acknowledged(kept, body)
        self.acknowledged[name] = (body, makes_sense)
        self._kept_as.setdefault(name, kept)

    def readmitted(self, delivery: Delivery) -> None:
        """Hear that what was turned away is forgotten there, because it was let in."""
        told = self._told_by(delivery)
        if told is None or told.is_forged:
            self._violated("I12", f"a forged request of {delivery.provider} was readmitted")
        self._acknowledged(delivery.object_name, delivery.body, makes_sense=told.makes_sense)
        self.after_step()

    def _told_by(self, delivery: Delivery) -> Posted | None:
        bears = set(delivery.headers.values())
        return next((each for each in self._posted.get(delivery.body, ()) if bears <= each.headers), None)

    # In the office

    def will_be_dropped(self, paper: Paper) -> None:
        """Hear of a file before it is dropped."""
        if not paper.is_mapping:
            self._dropped[paper.body] = paper.makes_sense

    def taken_away(self, body: bytes) -> None:
        """Hear that a file has left the inbox: its bytes must be kept."""
        kept = [name for name, each in self.raw.objects.items() if each.body == body and each.channel.value == "file"]
        if not kept:
            self._violated("I1", "a file was taken from the inbox and is not kept")
        for name in kept:
            self._acknowledged(name, body, makes_sense=self._dropped[body])

    def decided(self, delivery: Delivery) -> None:
        """Hear that somebody was told that a decision stands."""
        self._acknowledged(delivery.object_name, delivery.body, makes_sense=True)
        self.after_step()

    def logged(self, event: Mapping[str, Any]) -> None:
        """Hear a line of the log."""
        self.situations[f"logged: {event.get('event')}"] += 1
        line = repr(dict(event))
        for secret in _SECRETS:
            if secret in line:
                self._violated("I12", "a line of the log holds a signing key")
        for name in self.town.names_of_people:
            if name in line:
                self._violated("I12", f"a line of the log holds a passenger's name: {line[:80]}")

    # After every step

    def after_step(self) -> None:
        """Check that everything acknowledged is there, and is what it was."""
        objects = self.raw.objects
        if self._kept_as.items() <= objects.items():
            return
        for name, kept in self._kept_as.items():
            if name not in objects:
                self._violated("I1", f"{name} was acknowledged and is absent")
            if objects[name] != kept:
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
        self._check_decisions()
        self._check_corrections()
        self._check_released()
        self._check_statement()
        self._check_turned_away()

    def _check_outcomes(self) -> None:
        alarmed = {each.subject for each in self.casebook.exceptions()}
        alarmed |= {told["subject"] for told in self._decisions().values() if told["decision"] in _SETTLING}
        for name, delivery in self.raw.objects.items():
            verdict = self.ledger.verdicts_by_id.get(delivery.delivery_id)
            if verdict is None:
                self._violated("I5", f"{name} has no outcome")
            _, makes_sense = self.acknowledged.get(name, (b"", True))
            is_held = verdict.outcome in (Outcome.QUARANTINED, Outcome.FAILED, Outcome.CONFLICT)
            is_copy = verdict.outcome is Outcome.DUPLICATE and self._is_held_elsewhere(delivery)
            if is_held is makes_sense and name in self.acknowledged and not is_copy:
                invariant = "I5" if makes_sense else "I13"
                self._violated(invariant, f"{name} ended as {verdict.outcome.value}: {verdict.reason}")
            if is_held and delivery.delivery_id not in alarmed:
                self._violated("I13", f"{name} ended as {verdict.outcome.value} and nobody is told")

    def _is_held_elsewhere(self, copy: Delivery) -> bool:
        """Return whether the same bytes came before and wait for somebody."""
        said = without_tokens(copy.body)
        same = [each.delivery_id for each in self.raw.objects.values() if without_tokens(each.body) == said]
        return any(self.ledger.verdicts_by_id[each].outcome is Outcome.QUARANTINED for each in same)

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

        for pause in self.casebook.pauses():
            if pause.stands:
                self._violated("I13", f"{pause.provider} answers and is paused still: {pause.reason}")
        for exception in self.casebook.exceptions():
            has_cause = (
                exception.kind.value == "quarantined_delivery"
                or exception.subject in self.town.torn_between
                or is_nameless(exception.subject)
            )
            if not has_cause:
                self._violated("I13", f"{exception.kind.value} of {exception.subject} is open and has no cause")

    def _check_decisions(self) -> None:
        """Check that what people decided last stands, and that what they settled is not put before them again."""
        open_now = {each.exception_id: each for each in self.casebook.exceptions()}
        for exception_id, told in self._decisions().items():
            values = self._values(f"decision:operator:{exception_id}")
            if any(values.get(name) != told[name] for name in ("decision", "reason", "decided_by", "decided_at_ms")):
                self._violated("I3", f"the last decision about {exception_id[:12]} is not what the ledger says")
            again = open_now.get(exception_id)
            if again and told["decision"] in _SETTLING and again.evidence_digest == told["evidence_digest"]:
                self._violated("I13", f"{exception_id[:12]} was settled by a person and is open again")

    def _decisions(self) -> dict[str, dict[str, Any]]:
        """Return the last decision about each exception, from the bytes that are kept."""
        return {each["exception_id"]: each for each in self._told_by_people("decision.made")}

    def _told_by_people(self, event_type: str) -> list[dict[str, Any]]:
        """Return what people of the company decided, in the order of their decisions, from the bytes that are kept."""
        told = [json.loads(each.body) for each in self.raw.objects.values() if each.provider == "operator"]
        found = [each for each in told if each["type"] == event_type]
        return sorted(found, key=lambda each: int(each["decided_at_ms"]))

    def _check_corrections(self) -> None:
        """Check that the last word of people stands where no provider ever has one: which payout has arrived."""
        corrected = [each["correction"] for each in self._told_by_people("decision.made") if "correction" in each]
        last: dict[str, dict[str, Any]] = {}
        for told in sorted(corrected, key=lambda each: (int(each["version_at_ms"]), int(each["version_step"]))):
            last[told["key"]] = told
        open_now = {each.subject for each in self.casebook.exceptions()}
        for key, told in last.items():
            if self._values(key).get(told["field"]) != told["value"]:
                self._violated("I3", f"{key}.{told['field']} was corrected and is not what people said last")
            if f"{key} receipt_to_payout" in open_now:
                self._violated("I13", f"{key} was linked by a person and is open again")

    def _check_released(self) -> None:
        """Check the lines of the wallet's reports, which overlap and come twice: as many, and as much, as was released."""
        if any(makes_sense for makes_sense in self._dropped.values()):
            lines = [str(key) for key in self.ledger.documents if str(key).startswith("settlement_line:mercadopago:")]
            held = len(lines), sum(self._values(line)["net_minor"] for line in lines)
            if held != self.town.wallet_released:
                self._violated("I4", f"reports released {self.town.wallet_released}, and the ledger holds {held}")

    def _check_statement(self) -> None:
        """Check the bank's statement: the lines of its highest generation stand, and are what moved on the account."""
        standing = self._values("settlement_line:statement:statement:plata:2026-01").get("generation")
        keys = [str(key) for key in self.ledger.documents if str(key).startswith("settlement_line:statement:plata:")]
        lines = [line for line in map(self._values, keys) if line["generation"] == standing]
        held = len(lines), sum(line["net_minor"] for line in lines)
        if held != stated(self.town.season):
            self._violated("I4", f"the bank states {stated(self.town.season)}, and the ledger holds {held}")
        self.situations["a corrected statement stands, and the wrong one counts for nothing"] += len(keys) > len(lines)

    def _check_turned_away(self) -> None:
        """Check that nothing genuine is still turned away for want of the right secret."""
        for delivery, reason in self.rejected.rejected():
            told = self._told_by(delivery)
            if reason != "signature_wrong" or told is None or told.is_forged:
                continue
            if delivery.received_at - told.signed_at < _IN_TIME:
                self._violated("I5", f"a genuine delivery of {delivery.provider} is still turned away")

    # Of each day

    def certified_complete(self, certificates: Iterator[CompletenessCertificate]) -> None:
        """Check each new certificate of a complete day against what the provider lists of it and the bytes that are kept."""
        for each in certificates:
            place = each.provider, each.kind.value, each.day
            if not each.is_complete or place in self._complete:
                continue
            listed = self.town.listed(*place)
            if each.listed != len(listed):
                self._violated("I13", f"{place} is certified with {each.listed} and {len(listed)} are listed")
            for key in listed:
                if not self._values(key) or not self._is_in_the_bytes(key):
                    self._violated("I13", f"{place} is certified as complete, and {key} is not here")
            self._complete.add(place)
            self.situations["a day was certified as complete"] += 1

    def _is_in_the_bytes(self, key: str) -> bool:
        """Return whether something kept names this; once it does it always will, for nothing that is kept changes."""
        if key not in self._in_the_bytes:
            parts = [part.encode() for part in key.split(":")[2:]]
            bodies = (each.body for each in self.raw.objects.values())
            if any(all(part in body for part in parts) for body in bodies):
                self._in_the_bytes.add(key)
        return key in self._in_the_bytes

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

    def same_figures(self, before: RebuildResult, after: RebuildResult) -> None:
        """Check that erasing people changed no figure and no verdict of any month."""
        if _judged(before) != _judged(after):
            self._violated("I9", "people were erased, and the certified months are no longer the same")

    def verified(self, verification: Verification) -> None:
        """Check that everything that was sealed, signed, derived and certified is proved to be what it was."""
        for findings in verification.findings:
            if not findings.holds:
                self._violated("I8", f"verify finds in {findings.area.value}: {findings.first}")
        self.situations["seals, ledger and certificates were verified when everybody was erased"] += 1

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


def _judged(result: RebuildResult) -> list[str]:
    return sorted(repr((each.grain, each.figures)) for each in (*result.certified, *result.refused))


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
