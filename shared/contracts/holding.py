"""Holding: each delivery that could be read is held against its pinned contract, and the policy says what becomes of it.

A known shape costs microseconds: contracts are compiled once, and only a body that its compiled shape stops is looked at
field by field. What is accepted is noted once per field, in the log; how often it came is counted from the raw store by
`asiento contract observe`, for counts are a function of what is kept and no state of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError

if TYPE_CHECKING:
    from shared.contracts.observation import Departure
    from shared.contracts.policy import Treatment
    from shared.contracts.shape import Shape
    from shared.contracts.snapshot import Contract

# The reader of contracts is imported with the first delivery: a door that starts pays nothing for it.
# ruff: noqa: PLC0415

log = structlog.get_logger("contract")

NOTED_MAX = 1_000
"""Departures that are noted one by one; a sender who makes up field names fills no log."""
LEARNED_MAX = 32
"""New fields of one webhook or call that are known once they were accepted; beyond them the long way is gone each time."""
SHOWN_MAX = 3
"""Departures that a reason names; `asiento contract observe` names them all."""

_COMPRESSED = b'"enc"'
"""Where this stands in a body, part of it may be compressed, and only the long way looks inside."""


@dataclass(slots=True)
class Holding:
    """The pinned contracts of some providers, ready to hold deliveries against. A provider without one is not held."""

    opened: Callable[[bytes], Mapping[str, Any]]
    """Read a body, compressed parts unpacked; raises UnreadableError."""
    _pins: dict[str, "_Pin | None"] = field(default_factory=dict)
    _noted: set[tuple[str, str, "Departure"]] = field(default_factory=set)

    def hold(self, delivery: Delivery, event_type: str) -> None:
        """Raise UnreadableError where the policy holds this delivery, which its provider read as an event of this type.

        `off_contract` holds the delivery alone; `stopped_by_contract` stops every month of its provider, because amounts
        may be misread in many deliveries alike. What is accepted is noted.
        """
        if delivery.channel not in (Channel.WEBHOOK, Channel.FETCH):
            return
        pin = self._pin(delivery.provider)
        if pin is not None and not pin.keeps(delivery, event_type):
            event, found = pin.departures(delivery, self.opened)
            self._judge(delivery.provider, event, found)
            pin.learn(delivery, event_type, found)

    def departures(self, delivery: Delivery, event_type: str = "") -> tuple[str, list["Departure"]]:
        """Return what a delivery is, and where it departs from its contract, whatever the policy makes of that.

        Without a contract nothing departs. Raises UnreadableError for a body that cannot be opened.
        """
        pin = self._pin(delivery.provider) if delivery.channel in (Channel.WEBHOOK, Channel.FETCH) else None
        if pin is None or (event_type and pin.keeps(delivery, event_type)):
            return event_type, []
        return pin.departures(delivery, self.opened)

    def _pin(self, provider: str) -> "_Pin | None":
        if provider not in self._pins:
            from shared.contracts.snapshot import pinned, pinned_providers

            self._pins[provider] = _Pin(pinned(provider)) if provider in pinned_providers() else None
        return self._pins[provider]

    def _judge(self, provider: str, event: str, found: Iterable["Departure"]) -> None:
        from shared.contracts.policy import Treatment, rule_for

        distinct = dict.fromkeys(found)
        for departure in distinct:
            self._note(provider, event, departure, rule_for(departure).treatment)
        worst = max((rule_for(each).treatment for each in distinct), default=Treatment.ACCEPTED)
        if worst is Treatment.ACCEPTED:
            return
        held = [each for each in distinct if rule_for(each).treatment is worst]
        reason = Quarantine.STOPPED_BY_CONTRACT if worst is Treatment.STOPPING else Quarantine.OFF_CONTRACT
        raise UnreadableError(reason, f"{event} departs from its contract: {_in_words(held)}")

    def _note(self, provider: str, event: str, departure: "Departure", treatment: "Treatment") -> None:
        line = (provider, event, departure)
        if line in self._noted or len(self._noted) >= NOTED_MAX:
            return
        self._noted.add(line)
        log.warning(
            "departure from the contract",
            provider=provider,
            event_type=event,
            path=departure.path,
            departure=departure.kind.value,
            seen=departure.seen,
            treatment=treatment.name.lower(),
        )


@dataclass(slots=True)
class _Pin:
    """One pinned contract and its compiled shapes."""

    contract: "Contract"
    _tests: dict[str, Callable[[bytes], bool]] = field(default_factory=dict)
    _learned: dict[str, set[str]] = field(default_factory=dict)
    """The paths of new fields that were accepted, by webhook or call."""

    def keeps(self, delivery: Delivery, event_type: str) -> bool:
        """Return whether the body is known to keep to the contract, or is none that the contract describes.

        An event or call that the contract does not know is for the provider to refuse, which it has not.
        """
        if _COMPRESSED in delivery.body:
            return False
        known = self._shape(delivery, event_type)
        return known is None or self._conforms(*known, delivery.body)

    def learn(self, delivery: Delivery, event_type: str, found: Iterable["Departure"]) -> None:
        """Know from now on the fields that were accepted as new, so that each is looked at the long way once only."""
        from shared.contracts.compiled import compiled, knowing
        from shared.contracts.observation import DepartureKind

        known = self._shape(delivery, event_type)
        if known is None:
            return
        name, shape = known
        learned = self._learned.setdefault(name, set())
        new = {departure.path for departure in found if departure.kind is DepartureKind.UNKNOWN_FIELD} - learned
        if not new or len(learned) + len(new) > LEARNED_MAX:
            return
        learned |= new
        for path in sorted(learned):
            shape = knowing(shape, path) or shape
        self._tests[name] = compiled(shape)

    def _shape(self, delivery: Delivery, event_type: str) -> "tuple[str, Shape] | None":
        if delivery.channel is Channel.FETCH:
            return self.contract.answer(delivery.target)
        shape = self.contract.event_shape(event_type)
        return None if shape is None else (f"webhook {event_type}", shape)

    def departures(
        self, delivery: Delivery, opened: Callable[[bytes], Mapping[str, Any]]
    ) -> tuple[str, list["Departure"]]:
        """Return what the delivery is, and where it departs from the contract."""
        from shared.contracts import observation

        content = opened(delivery.body)
        if delivery.channel is Channel.FETCH:
            event, found = observation.of_answer(self.contract, delivery.target, content)
        else:
            event, found = observation.of_webhook(self.contract, content)
        return event, [each for each in found if each.kind is not observation.DepartureKind.UNKNOWN_EVENT]

    def _conforms(self, name: str, shape: "Shape", body: bytes) -> bool:
        test = self._tests.get(name)
        if test is None:
            from shared.contracts.compiled import compiled

            test = self._tests[name] = compiled(shape)
        return test(body)


def _in_words(found: list["Departure"]) -> str:
    shown = [f"{each.path}: {each.kind.value}, {each.seen} instead of {each.expected}" for each in found[:SHOWN_MAX]]
    more = f"; and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return "; ".join(shown) + more
