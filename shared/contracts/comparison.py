"""What changed between two snapshots of a contract, and how much it matters to us.

Whether a change matters depends on who writes the message. What the provider writes (the body of a webhook, the answer
to a call) we read: it must not become wider, for then something may come that we do not expect. What we write (the
request of a call, our answer to a webhook) must not become narrower, for then what we send may be refused.

An amount is another matter: whoever writes it, a changed scale, sign, unit, currency or type is breaking and named so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, StrEnum
from typing import Any

from shared.contracts.shape import ANYTHING, Shape
from shared.contracts.snapshot import Contract, Message, Operation, Side


class Severity(IntEnum):
    """How much a change matters to us, in order."""

    HARMLESS = 0
    NOTABLE = 1
    """Nothing breaks; somebody should know."""
    BREAKING = 2
    """What worked may fail, or be read wrongly."""


class ChangeKind(StrEnum):
    """What changed."""

    OPERATION_ADDED = "operation added"
    OPERATION_REMOVED = "operation removed"
    FRAME = "frame changed"
    ACCESS = "access changed"
    MESSAGE_ADDED = "message added"
    MESSAGE_REMOVED = "message removed"
    FIELD_ADDED = "field added"
    FIELD_REMOVED = "field removed"
    NOW_REQUIRED = "field now required"
    NOW_OPTIONAL = "field now optional"
    TYPE = "type changed"
    ENUM = "enumeration changed"
    LIMIT = "limit changed"
    OPENNESS = "undeclared fields"
    ALTERNATIVE_ADDED = "alternative added"
    ALTERNATIVE_REMOVED = "alternative removed"
    MONEY_SCALE = "money: scale changed"
    MONEY_SIGN = "money: sign changed"
    MONEY_UNIT = "money: unit changed"
    MONEY_CURRENCY = "money: currency changed"
    MONEY_TYPE = "money: type changed"
    MONEY_MARK = "money: declaration changed"
    CERTAINTY = "certainty changed"
    PERSONAL = "personal mark changed"
    DEPRECATED = "deprecation changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two snapshots."""

    severity: Severity
    kind: ChangeKind
    operation: str
    message: str
    path: str
    before: str
    after: str
    part: str = ""
    """Where it stands in the nearest part that has a name of its own: `Ticket.total`. Equal for all places that share it."""
    is_money: bool = False
    """Whether an amount stands at the path or below it."""


class _Effect(Enum):
    """What a change does to the set of values that may come."""

    WIDER = "wider"
    NARROWER = "narrower"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class _At:
    """Where in a message a comparison stands."""

    operation: str
    message: str
    side: Side
    path: str = ""
    part: str = ""

    def below(self, step: str) -> "_At":
        return replace(self, path=_joined(self.path, step), part=_joined(self.part, step))

    def change(
        self, severity: Severity, kind: ChangeKind, before: object, after: object, *, is_money: bool = False
    ) -> Change:
        said = (str(before), str(after))
        return Change(severity, kind, self.operation, self.message, self.path, *said, self.part, is_money)

    def severity_of(self, effect: _Effect) -> Severity:
        harmless = _Effect.NARROWER if self.side is Side.THEIRS else _Effect.WIDER
        return Severity.HARMLESS if effect is harmless else Severity.BREAKING


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path and not step.startswith(("[", "(")) else f"{path}{step}"


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Return every change from one snapshot to the other: what matters most first, money before the rest."""
    return tuple(sorted([*_frame(old, new), *_operations(old.operations, new.operations)], key=_weight))


def _weight(change: Change) -> tuple[object, ...]:
    return (-change.severity, not change.is_money, change.operation, change.message, change.path, change.kind)


def _frame(old: Contract, new: Contract) -> Iterator[Change]:
    for name in sorted(old.frame.keys() | new.frame.keys()):
        before, after = old.frame.get(name, ""), new.frame.get(name, "")
        if before != after:
            yield Change(Severity.BREAKING, ChangeKind.FRAME, "", "", name, before, after)


def _operations(old: Mapping[str, Operation], new: Mapping[str, Operation]) -> Iterator[Change]:
    for name in sorted(old.keys() - new.keys()):
        is_money = _carries_money(old[name])
        yield Change(Severity.BREAKING, ChangeKind.OPERATION_REMOVED, name, "", "", "there", "", is_money=is_money)
    for name in sorted(new.keys() - old.keys()):
        # A webhook of a new type will arrive and be held; a call that nobody makes changes nothing.
        severity = Severity.NOTABLE if new[name].is_webhook else Severity.HARMLESS
        yield Change(
            severity, ChangeKind.OPERATION_ADDED, name, "", "", "", "there", is_money=_carries_money(new[name])
        )
    for name in sorted(old.keys() & new.keys()):
        if old[name].access != new[name].access:
            yield Change(Severity.BREAKING, ChangeKind.ACCESS, name, "", "", old[name].access, new[name].access)
        yield from _messages(name, old[name].messages, new[name].messages)


def _carries_money(operation: Operation) -> bool:
    return any(message.shape.holds_money for message in operation.messages.values())


def _messages(operation: str, old: Mapping[str, Message], new: Mapping[str, Message]) -> Iterator[Change]:
    for name in sorted(old.keys() - new.keys()):
        gone = old[name]
        severity = Severity.HARMLESS if _is_their_failure(name, gone) else Severity.BREAKING
        at = _At(operation, name, gone.side)
        yield at.change(severity, ChangeKind.MESSAGE_REMOVED, "there", "", is_money=gone.shape.holds_money)
    for name in sorted(new.keys() - old.keys()):
        come = new[name]
        at = _At(operation, name, come.side)
        is_money = come.shape.holds_money
        yield at.change(_severity_of_new(name, come), ChangeKind.MESSAGE_ADDED, "", "there", is_money=is_money)
    for name in sorted(old.keys() & new.keys()):
        yield from _shapes(old[name].shape, new[name].shape, _At(operation, name, new[name].side))


def _severity_of_new(name: str, message: Message) -> Severity:
    if message.side is Side.OURS:
        return Severity.HARMLESS
    return Severity.NOTABLE if _is_their_failure(name, message) else Severity.BREAKING


def _is_their_failure(name: str, message: Message) -> bool:
    return message.side is Side.THEIRS and not name.startswith("answer 2")


# One value


def _shapes(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    if old is new or old == new:
        return
    inside = replace(at, part=new.name) if new.name else at
    for compared in _COMPARISONS:
        yield from compared(old, new, inside)
    yield from _marks(old, new, at)  # of the place, whatever shared part stands in it


_MONEY_KINDS = {
    "scale": ChangeKind.MONEY_SCALE,
    "sign": ChangeKind.MONEY_SIGN,
    "unit": ChangeKind.MONEY_UNIT,
    "currency-from": ChangeKind.MONEY_CURRENCY,
}


def _money(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    if old.money is None or new.money is None:
        if old.money != new.money:
            words = ("no money" if shape.money is None else "money" for shape in (old, new))
            yield at.change(Severity.BREAKING, ChangeKind.MONEY_MARK, *words, is_money=True)
        return
    for key, kind in _MONEY_KINDS.items():
        if old.money[key] != new.money[key]:
            yield at.change(Severity.BREAKING, kind, old.money[key], new.money[key], is_money=True)


def _types(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    effect = _effect_of_sets(old.all_types, new.all_types)
    if effect is None:
        return
    before, after = (" or ".join(sorted(shape.types)) or "anything" for shape in (old, new))
    if old.money is not None or new.money is not None:
        # Integers count parts and decimals count wholes: the type of an amount is its scale.
        yield at.change(Severity.BREAKING, ChangeKind.MONEY_TYPE, before, after, is_money=True)
    else:
        yield at.change(at.severity_of(effect), ChangeKind.TYPE, before, after)


def _enums(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    if old.enum == new.enum:
        return
    if old.enum is None or new.enum is None:
        effect = _Effect.WIDER if new.enum is None else _Effect.NARROWER
        before, after = ("any" if shape.enum is None else ", ".join(sorted(shape.enum)) for shape in (old, new))
    else:
        effect = _effect_of_sets(old.enum, new.enum) or _Effect.OTHER
        before = ", ".join(sorted(old.enum - new.enum))
        after = ", ".join(sorted(new.enum - old.enum))
    yield at.change(at.severity_of(effect), ChangeKind.ENUM, before, after)


def _limits(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    for limit in sorted(old.limits.keys() | new.limits.keys()):
        before, after = old.limits.get(limit), new.limits.get(limit)
        if before != after:
            severity = at.severity_of(_effect_of_limit(limit, before, after))
            yield at.change(severity, ChangeKind.LIMIT, f"{limit} {_said(before)}", f"{limit} {_said(after)}")


def _fields(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    for name in sorted(old.properties.keys() - new.properties.keys()):
        is_money = old.properties[name].holds_money
        yield at.below(name).change(Severity.BREAKING, ChangeKind.FIELD_REMOVED, "there", "", is_money=is_money)
    for name in sorted(new.properties.keys() - old.properties.keys()):
        is_required, is_money = name in new.required, new.properties[name].holds_money
        said = "required" if is_required else "optional"
        severity = _severity_of_field(at.side, is_required=is_required, is_money=is_money)
        yield at.below(name).change(severity, ChangeKind.FIELD_ADDED, "", said, is_money=is_money)
    for name in sorted(old.properties.keys() & new.properties.keys()):
        yield from _requirement(old, new, at, name)
        yield from _shapes(old.properties[name], new.properties[name], at.below(name))


def _severity_of_field(side: Side, *, is_required: bool, is_money: bool) -> Severity:
    if side is Side.OURS:
        return Severity.BREAKING if is_required else Severity.HARMLESS
    return Severity.NOTABLE if is_money else Severity.HARMLESS  # money that nothing of ours reads yet


def _requirement(old: Shape, new: Shape, at: _At, name: str) -> Iterator[Change]:
    if (name in old.required) == (name in new.required):
        return
    is_money = old.properties[name].holds_money
    if name in new.required:
        severity, kind = at.severity_of(_Effect.NARROWER), ChangeKind.NOW_REQUIRED
    else:
        severity, kind = at.severity_of(_Effect.WIDER), ChangeKind.NOW_OPTIONAL
    words = ("required" if name in shape.required else "optional" for shape in (old, new))
    yield at.below(name).change(severity, kind, *words, is_money=is_money)


def _items(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    yield from _shapes(old.items or ANYTHING, new.items or ANYTHING, at.below("[]"))


def _openness(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    if old.is_closed != new.is_closed:
        # Readers pass over what they do not know: only what we write can be refused.
        severity = Severity.BREAKING if new.is_closed and at.side is Side.OURS else Severity.HARMLESS
        words = ("ruled out" if shape.is_closed else "allowed" for shape in (old, new))
        yield at.change(severity, ChangeKind.OPENNESS, *words)
    if old.others is not None and new.others is not None:
        yield from _shapes(old.others, new.others, at.below("*"))
    elif (old.others or new.others) and not (old.is_closed or new.is_closed):
        words = ("not declared" if shape.others is None else "declared" for shape in (old, new))
        yield at.change(Severity.NOTABLE, ChangeKind.OPENNESS, *words)


def _alternatives(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    # Without alternatives a value may have any form: the first one narrows, and losing the last one widens.
    added, removed = (_Effect.WIDER, _Effect.NARROWER)
    if not old.alternatives or not new.alternatives:
        added, removed = removed, added
    for name in sorted(old.alternatives.keys() - new.alternatives.keys()):
        is_money = old.alternatives[name].holds_money
        yield at.change(at.severity_of(removed), ChangeKind.ALTERNATIVE_REMOVED, name, "", is_money=is_money)
    for name in sorted(new.alternatives.keys() - old.alternatives.keys()):
        is_money = new.alternatives[name].holds_money
        yield at.change(at.severity_of(added), ChangeKind.ALTERNATIVE_ADDED, "", name, is_money=is_money)
    for name in sorted(old.alternatives.keys() & new.alternatives.keys()):
        yield from _shapes(old.alternatives[name], new.alternatives[name], at.below(f"({name})"))


def _marks(old: Shape, new: Shape, at: _At) -> Iterator[Change]:
    if old.certainty != new.certainty:
        severity = Severity.HARMLESS if new.certainty == "documented" else Severity.NOTABLE
        yield at.change(severity, ChangeKind.CERTAINTY, old.certainty or "unsaid", new.certainty or "unsaid")
    if old.is_personal != new.is_personal:
        words = ("personal" if shape.is_personal else "not personal" for shape in (old, new))
        yield at.change(Severity.NOTABLE, ChangeKind.PERSONAL, *words)
    if old.is_deprecated != new.is_deprecated:
        words = ("deprecated" if shape.is_deprecated else "kept" for shape in (old, new))
        yield at.change(Severity.NOTABLE, ChangeKind.DEPRECATED, *words, is_money=new.holds_money)


_COMPARISONS = (_money, _types, _enums, _limits, _fields, _items, _openness, _alternatives)


# Wider or narrower


def _effect_of_sets(before: frozenset[str], after: frozenset[str]) -> _Effect | None:
    if before == after:
        return None
    if before < after:
        return _Effect.WIDER
    return _Effect.NARROWER if after < before else _Effect.OTHER


_FLOORS = frozenset({"minLength", "minimum", "exclusiveMinimum", "minItems"})
_CEILINGS = frozenset({"maxLength", "maximum", "exclusiveMaximum", "maxItems"})


def _effect_of_limit(limit: str, before: Any, after: Any) -> _Effect:
    if limit == "x-any-case":
        return _Effect.WIDER if after else _Effect.NARROWER
    if before is None or after is None:
        return _Effect.NARROWER if before is None else _Effect.WIDER
    if limit in _FLOORS:
        return _Effect.NARROWER if after > before else _Effect.WIDER
    if limit in _CEILINGS:
        return _Effect.NARROWER if after < before else _Effect.WIDER
    return _Effect.OTHER


def _said(limit: object) -> object:
    return "none" if limit is None else limit
