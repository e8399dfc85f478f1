"""What arrives, held against its contract: where a payload departs from it, counted by event type and field.

A departure shows types, and values only where the contract closes them in an enumeration and the field is not about a
person. Names of undeclared fields are shown where they read like names in code: an e-mail address that serves as a key
is not shown.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.contracts.shape import ANYTHING, Shape
from shared.contracts.snapshot import Contract


class DepartureKind(StrEnum):
    """How a payload departs from its contract."""

    UNKNOWN_EVENT = "unknown event"
    UNREADABLE = "unreadable body"
    UNKNOWN_FIELD = "unknown field"
    MISSING_FIELD = "missing field"
    CHANGED_TYPE = "changed type"
    CHANGED_SIGN = "changed sign"
    CHANGED_FORM = "changed form"
    NEW_VALUE = "new value"


@dataclass(frozen=True, slots=True)
class Departure:
    """One way in which a payload is not as its contract says."""

    kind: DepartureKind
    path: str
    expected: str
    seen: str
    is_money: bool = False
    is_personal: bool = False
    certainty: str = ""
    """Whether the contract's word on this field was documented or assumed."""


def departures(shape: Shape, value: Any, path: str = "") -> Iterator[Departure]:
    """Yield where a value, parsed without a float, departs from its shape. Nothing below a changed type is looked at."""
    seen = _type_of(value)
    if seen not in shape.all_types:
        expected = " or ".join(sorted(shape.types))
        yield _departure(DepartureKind.CHANGED_TYPE, shape, path, expected, seen)
        return
    yield from _value_departures(shape, value, path)
    if isinstance(value, dict):
        yield from _field_departures(shape, value, path)
    elif isinstance(value, list) and shape.items is not None:
        for item in value:
            yield from departures(shape.items, item, f"{path}[]")
    if shape.alternatives:
        yield from _form_departures(shape, value, path)


def _departure(kind: DepartureKind, shape: Shape, path: str, expected: str, seen: str) -> Departure:
    return Departure(kind, path, expected, seen, shape.is_amount, shape.is_personal, shape.certainty)


def _value_departures(shape: Shape, value: Any, path: str) -> Iterator[Departure]:
    if shape.enum is not None and not _is_in(shape, value):
        expected = ", ".join(sorted(shape.enum))
        yield _departure(DepartureKind.NEW_VALUE, shape, path, expected, _shown_value(shape, value))
    for limit, bound in shape.limits.items():
        if not _keeps(limit, bound, value):
            yield _departure(DepartureKind.CHANGED_FORM, shape, path, f"{limit} {bound}", f"another {_type_of(value)}")
    sign = shape.money["sign"] if shape.money else ""
    if sign == "unsigned" and isinstance(value, int | Decimal) and value < 0:
        yield _departure(DepartureKind.CHANGED_SIGN, shape, path, "unsigned", "negative")


def _field_departures(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[Departure]:
    for name in sorted(shape.required - value.keys()):
        missing = shape.properties.get(name, ANYTHING)
        expected = " or ".join(sorted(missing.types)) or "anything"
        yield _departure(DepartureKind.MISSING_FIELD, missing, _below(path, name), expected, "absent")
    for name, content in value.items():
        declared_field = shape.properties.get(name)
        if declared_field is not None:
            yield from departures(declared_field, content, _below(path, name))
        elif shape.others is not None:
            yield from departures(shape.others, content, _below(path, "*"))
        elif not shape.alternatives and (shape.properties or shape.is_closed):
            yield Departure(
                DepartureKind.UNKNOWN_FIELD,
                _below(path, _shown_name(name)),
                "no such field",
                _type_of(content),
                is_personal=shape.is_personal,
            )


def _form_departures(shape: Shape, value: Any, path: str) -> Iterator[Departure]:
    """Yield the departures from the alternative that is meant."""
    meant = min(shape.alternatives.values(), key=lambda form: _misfit(form, value))
    yield from departures(meant, value, path)


def _misfit(form: Shape, value: Any) -> tuple[bool, int, int]:
    """Return how badly a form fits a value by its outline alone: its type, then fields that lack, then fields too many.

    What is wrong deeper inside does not count: many wrong amounts must not make a sale look like a form without any.
    """
    has_another_type = _type_of(value) not in form.all_types
    names = value.keys() if isinstance(value, dict) else set()
    return has_another_type, len(form.required - names), len(names - form.properties.keys())


_TYPES = {type(None): "null", bool: "boolean", int: "integer", Decimal: "number", str: "string", list: "array"}


def _type_of(value: object) -> str:
    return _TYPES.get(type(value), "object")


def _is_in(shape: Shape, value: object) -> bool:
    known = shape.enum or frozenset()
    text = json.dumps(value, ensure_ascii=False, default=str)
    if shape.limits.get("x-any-case"):
        return text.casefold() in {each.casefold() for each in known}
    return text in known


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# Whole deliveries


def of_webhook(contract: Contract, content: Mapping[str, Any]) -> tuple[str, list[Departure]]:
    """Return the event type that a webhook's body names, as it may be shown, and where the body departs from it."""
    event_type = content.get(contract.event_type_field)
    shape = contract.event_shape(event_type) if isinstance(event_type, str) else None
    if shape is None:
        unknown = Departure(DepartureKind.UNKNOWN_EVENT, "", "an event of the contract", "another")
        return shown_event_type(event_type), [unknown]
    return str(event_type), list(departures(shape, content))


def of_answer(contract: Contract, target: str, content: Mapping[str, Any]) -> tuple[str, list[Departure]]:
    """Return the operation that a call's target belongs to, and where the answer's body departs from it."""
    known = contract.answer(target)
    if known is None:
        return "another call", [Departure(DepartureKind.UNKNOWN_EVENT, "", "a call of the contract", "another")]
    operation, shape = known
    return operation, list(departures(shape, content))


def unreadable(detail: str) -> list[Departure]:
    """Return the one departure of a body that cannot be parsed; the detail must hold nothing of the body."""
    return [Departure(DepartureKind.UNREADABLE, "", "a JSON object", detail)]


# What may be shown

_NAME_IN_CODE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,63}")
_AN_ID = re.compile(r"[0-9a-f]{24}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9]+")
_SHORT_WORD = re.compile(r"[A-Za-z0-9_ -]{1,40}")


def _shown_name(name: str) -> str:
    if _AN_ID.fullmatch(name):
        return "<id>"
    return name if _NAME_IN_CODE.fullmatch(name) else "<name>"


def _shown_value(shape: Shape, value: object) -> str:
    if isinstance(value, str) and not shape.is_personal and _SHORT_WORD.fullmatch(value):
        return json.dumps(value, ensure_ascii=False)
    return f"another {_type_of(value)}"


def shown_event_type(event_type: object) -> str:
    """Return an event type as it may be shown, whatever a body gives for one."""
    if not isinstance(event_type, str) or not event_type:
        return "<none>"
    return ".".join(_shown_name(part) for part in event_type[:200].split("."))


# Limits


def _keeps(limit: str, bound: Any, value: Any) -> bool:
    if isinstance(value, str) and limit in _TEXT_LIMITS:
        return _TEXT_LIMITS[limit](bound, value)
    if isinstance(value, list) and limit in _LIST_LIMITS:
        return _LIST_LIMITS[limit](bound, len(value))
    if isinstance(value, int | Decimal) and limit in _NUMBER_LIMITS:
        return _NUMBER_LIMITS[limit](bound, value)
    return True


def has_format(name: str, text: str) -> bool:
    """Return whether a text has a format; one that is not listed is a remark, and every text has it."""
    reader = _FORMATS.get(name)
    if reader is None:
        return True
    try:
        reader(text)
    except ValueError:
        return False
    return True


_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})")


def _instant(text: str) -> datetime:
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("an instant has a date, a time and an offset")
    return datetime.fromisoformat(text.upper())


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007  a day has no zone


_FORMATS: Mapping[str, Callable[[str], object]] = {"date-time": _instant, "date": _day, "uuid": UUID}
_TEXT_LIMITS: Mapping[str, Callable[[Any, str], bool]] = {
    "format": has_format,
    "pattern": lambda pattern, text: re.search(pattern, text) is not None,
    "minLength": lambda least, text: len(text) >= least,
    "maxLength": lambda most, text: len(text) <= most,
}
_LIST_LIMITS: Mapping[str, Callable[[int, int], bool]] = {
    "minItems": lambda least, size: size >= least,
    "maxItems": lambda most, size: size <= most,
}
_NUMBER_LIMITS: Mapping[str, Callable[[int, int | Decimal], bool]] = {
    "minimum": lambda least, number: number >= least,
    "maximum": lambda most, number: number <= most,
    "exclusiveMinimum": lambda bound, number: number > bound,
    "exclusiveMaximum": lambda bound, number: number < bound,
}


# Counting


@dataclass(frozen=True, slots=True)
class Seen:
    """One departure of one event type, as often as it was seen."""

    event_type: str
    departure: Departure
    count: int
    first_delivery_id: str
    """Where to look at one."""


@dataclass(slots=True)
class Observations:
    """What was held against a contract so far. A departure counts once for each delivery in which it stands."""

    deliveries: Counter[str] = field(default_factory=Counter)
    """How many were looked at, by event type."""
    departing: Counter[str] = field(default_factory=Counter)
    """How many of them depart from the contract in any way."""
    _counts: Counter[tuple[str, Departure]] = field(default_factory=Counter)
    _first: dict[tuple[str, Departure], str] = field(default_factory=dict)

    def add(
        self, event_type: str, found: Iterator[Departure] | list[Departure], delivery_id: str
    ) -> frozenset[Departure]:
        """Count what was found in one delivery and return it, each departure once."""
        distinct = frozenset(found)
        self.deliveries[event_type] += 1
        self.departing[event_type] += bool(distinct)
        for departure in distinct:
            key = (event_type, departure)
            self._counts[key] += 1
            self._first.setdefault(key, delivery_id)
        return distinct

    def seen(self) -> list[Seen]:
        """Return every departure with its count, by event type, path and kind."""
        lines = [Seen(event, each, count, self._first[event, each]) for (event, each), count in self._counts.items()]
        return sorted(
            lines, key=lambda line: (line.event_type, line.departure.path, line.departure.kind, line.departure.seen)
        )
