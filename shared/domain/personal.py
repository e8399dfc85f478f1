"""Personal values: where they stand in a body of JSON, and whose they are. Pure, in one pass, without a full parse.

A provider declares which of its fields are about a person (`personal.py` in its folder). What is found are spans of bytes,
so that a body can be kept with other bytes in their place and be restored exactly, also where it is no valid JSON.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_TEXT = re.compile(_STRING, re.DOTALL)
"""A string; the last one of a body that was cut short need not end."""
_BRACKETS = re.compile(rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+([{}\[\]])', re.DOTALL)
_LITERAL = re.compile(rb"[^\s,}\]]*+")
_OPENS = ord("{")
_NO_BRACE = bytes(set(range(256)) - set(b"{}"))
_NEITHER_BRACE_NOR_STRING = bytes(set(range(256)) - set(b'{}"\\'))
_SAYS_NOTHING = frozenset((b'""', b"null", b"true", b"false", b"{}", b"[]", b""))

Role = str
"""In which part a person stands in an object: empty for the passenger or payer, `seller` for who sold."""
Person = tuple[str, ...]
"""What identifies a person, steadiest first, as `kind:value`; empty where an object tells of somebody and not of whom."""
NOBODY_KNOWN: Person = ()


@dataclass(frozen=True, slots=True)
class Identifier:
    """A field that says who a person is."""

    kind: str
    """What it is, `email` say. Two fields of one kind and one value mean the same person, whatever their names."""
    rank: int
    """How steady it is: the lowest rank names the person, the others lead to them."""
    scope: str = ""
    """Who gives it out: a customer number means something with one provider only, an e-mail address everywhere."""

    def text(self, value: str) -> str:
        """Return the identifier as one text, equal for spellings that mean the same."""
        return identifier_text(self.kind, value, self.scope)


class Piece(NamedTuple):
    """One personal value: from which byte to which it stands, and the place in `Found.people` of whose it is."""

    start: int
    end: int
    person: int


class Found(NamedTuple):
    """The personal values of one body in order, and the people that they are about."""

    pieces: list[Piece]
    people: list[Person]


class _Objects:
    """The objects of a body as far as people are concerned: which is inside which, and who is named in each, by role."""

    __slots__ = ("named", "parents")

    def __init__(self) -> None:
        self.parents = [0]
        self.named: dict[tuple[int, Role], dict[int, str]] = {}

    def open(self, parent: int) -> int:
        """Enter an object; return its place."""
        self.parents.append(parent)
        return len(self.parents) - 1

    def person(self, place: int, role: Role) -> Person:
        """Return whom an object names in a role, or the objects around it; else whom they name at all."""
        while True:
            if identifiers := self.named.get((place, role)):
                return tuple(identifiers[rank] for rank in sorted(identifiers))
            if not place:
                return self.person(place, "") if role else NOBODY_KNOWN
            place = self.parents[place]


class _Value(NamedTuple):
    start: int
    end: int
    place: int
    role: Role


@dataclass(frozen=True)
class PersonalFields:
    """Which fields of a provider are about a person: by name, wherever they stand.

    `fields` gives each name the role of whom it is about; a field may hold text, a number, an object or an array.
    `identifiers` says which fields, of those or inside of them, tell who it is.
    """

    fields: Mapping[str, Role]
    identifiers: Mapping[str, Identifier]
    unpacked: Callable[[bytes], bytes | None] | None = None
    """Returns a body with what is compressed in it unpacked, or None where nothing is. It is kept unpacked, with what came
    closed beside it. None if this provider never compresses."""

    def find(self, body: bytes) -> Found:
        """Return the personal values of a body. Empty values, truths and null say nothing and are left."""
        return _whose(*self._scan(body))

    def _scan(self, body: bytes) -> tuple[_Objects, list[_Value]]:
        objects, values = _Objects(), list[_Value]()
        place = at = 0
        search = self._name.search
        while found := search(body, at):
            place = _entered(body[at : found.start()], place, objects)
            start = found.end()
            at = _end_of_value(body, start)
            content = body[start:at]
            if content not in _SAYS_NOTHING:
                name = found[1].decode("ascii")
                role = self.fields[name]
                values.append(_Value(start, at, self._about(name, role, content, place, objects), role))
        return objects, values

    def _about(self, name: str, role: Role, content: bytes, place: int, objects: _Objects) -> int:
        """Note who is named by a personal value; return the place of the object that tells whose it is."""
        if content[0] not in b"{[":
            self._identify(name, role, content, place, objects)
            return place
        # Who is named inside is who the inside is about; if nobody is, the object around it tells.
        inside = objects.open(place)
        for inner in self._identifier_inside.finditer(content):
            self._identify(inner[1].decode("ascii"), role, inner[2], inside, objects)
        return inside

    def _identify(self, name: str, role: Role, content: bytes, place: int, objects: _Objects) -> None:
        identifier = self.identifiers.get(name)
        if identifier is not None and (text := identifier.text(_plain(content))):
            objects.named.setdefault((place, role), {}).setdefault(identifier.rank, text)

    @cached_property
    def _name(self) -> re.Pattern[bytes]:
        """The name of a personal field with its colon."""
        return re.compile(rb'"(' + _any_of(self.fields) + rb')"\s*+:\s*+')

    @cached_property
    def _identifier_inside(self) -> re.Pattern[bytes]:
        literal = rb"[0-9]++"
        return re.compile(
            rb'"(' + _any_of(self.identifiers) + rb')"\s*+:\s*+(' + _STRING + rb"|" + literal + rb")", re.DOTALL
        )


def identifier_text(kind: str, value: str, scope: str = "") -> str:
    """Return an identifier as one text: without regard to case and to what people type around and between."""
    kept = "".join(value.lower().split())
    if kind in ("document", "phone"):
        kept = "".join(sign for sign in kept if sign.isalnum())
    return f"{kind}:{scope}:{kept}" if kept else ""


def _entered(passed: bytes, place: int, objects: _Objects) -> int:
    """Return the place of the object in which one is after passing these bytes; enter the objects that open there."""
    braces = passed.translate(None, _NEITHER_BRACE_NOR_STRING).replace(b'""', b"")
    if b'"' in braces:
        # A string holds a brace or an escape: strings are taken out one by one.
        braces = _TEXT.sub(b"", passed).translate(None, _NO_BRACE)
    while b"{}" in braces:
        braces = braces.replace(b"{}", b"")
    for brace in braces:
        place = objects.open(place) if brace == _OPENS else objects.parents[place]
    return place


def _end_of_value(body: bytes, start: int) -> int:
    """Return where the value that starts here ends; what is cut short ends with the body."""
    first = body[start : start + 1]
    if first == b'"':
        text = _TEXT.match(body, start)
        return text.end() if text else len(body)
    if first not in (b"{", b"["):
        literal = _LITERAL.match(body, start)
        return literal.end() if literal else start
    depth, at = 0, start
    while found := _BRACKETS.match(body, at):
        at = found.end()
        depth += 1 if found[1] in (b"{", b"[") else -1
        if not depth:
            return at
    return len(body)


def _plain(content: bytes) -> str:
    """Return what an identifier says, its escapes resolved."""
    text = content.decode("utf-8", "replace").strip('"')
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _whose(objects: _Objects, values: list[_Value]) -> Found:
    """Say of each value whose it is: of whom its object names, or the objects around it; else of the only one there is."""
    if not values:
        return Found([], [])
    found = [objects.person(value.place, value.role) for value in values]
    everybody = list(dict.fromkeys(found))
    known = [person for person in everybody if person]
    if len(known) == 1:
        return Found([Piece(value.start, value.end, 0) for value in values], known)
    places = {person: place for place, person in enumerate(everybody)}
    return Found(
        [Piece(value.start, value.end, places[person]) for value, person in zip(values, found, strict=True)], everybody
    )


def _any_of(names: Mapping[str, object]) -> bytes:
    return b"(?:" + b"|".join(re.escape(name).encode("ascii") for name in sorted(names)) + b")"
