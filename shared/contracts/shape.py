"""Shapes: what one value of a contract may be, read from the JSON Schema of an OpenAPI 3.1 document.

The vocabulary is closed. A keyword that is not understood here is refused: a comparison that passes over what it does
not know would call a changed contract unchanged.

Our own words, beside those of JSON Schema:

    x-money       {unit: currency | percent, scale: parts of one whole, sign: signed | unsigned, currency-from: where}
    x-certainty   documented | assumed
    x-personal    true where the value is about a person: it is never shown
    x-any-case    true where the words of an enumeration mean the same in any case
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared.domain.errors import TerminalError

JSON_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
CERTAINTIES = ("documented", "assumed")
LIMITS = frozenset(
    {
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
        "x-any-case",
    }
)
_MONEY = {"unit": ("currency", "percent"), "sign": ("signed", "unsigned")}
_MONEY_KEYS = frozenset({"unit", "scale", "sign", "currency-from"})
_STRUCTURE = frozenset(
    {"$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf"}
)
_MARKS = frozenset({"x-money", "x-certainty", "x-personal", "deprecated"})
_WORDS = frozenset({"title", "description", "example", "examples", "$comment"})
_BESIDE_A_REFERENCE = _MARKS | _WORDS | {"$ref"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What one value may be. Without types it may be anything."""

    types: frozenset[str] = frozenset()
    enum: frozenset[str] | None = None
    """The values that it may take, each as JSON text; None where it is no enumeration."""
    properties: Mapping[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    others: "Shape | None" = None
    """What undeclared fields hold, where the contract declares that there are some: an open map."""
    is_closed: bool = False
    """Whether the contract rules out undeclared fields."""
    items: "Shape | None" = None
    alternatives: Mapping[str, "Shape"] = field(default_factory=dict)
    """Forms of which a value has one, by name."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    money: Mapping[str, Any] | None = None
    certainty: str = ""
    is_personal: bool = False
    is_deprecated: bool = False
    name: str = field(default="", compare=False)
    """The name under which the document shares it, if it does: what it says is said of all its places at once."""

    @property
    def all_types(self) -> frozenset[str]:
        """Return every JSON type that the value may have; an integer is a number too."""
        if not self.types:
            return JSON_TYPES
        return self.types | {"integer"} if "number" in self.types else self.types

    @property
    def is_amount(self) -> bool:
        """Return whether the value is an amount of money: a rate is declared too, and moves none."""
        return self.money is not None and self.money["unit"] == "currency"

    @property
    def holds_money(self) -> bool:
        """Return whether an amount stands here or anywhere below."""
        return self.money is not None or any(child.holds_money for child in self.children())

    def children(self) -> Iterator["Shape"]:
        """Yield the shapes directly below."""
        yield from self.properties.values()
        yield from self.alternatives.values()
        yield from (child for child in (self.items, self.others) if child is not None)


ANYTHING = Shape()


class ShapeReader:
    """Reads schemas of one document. A referenced schema is read once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take the document that references point into."""
        self._document = document
        self._read: dict[str, Shape] = {}
        self._being_read: list[str] = []

    def shape(self, schema: Any, where: str) -> Shape:
        """Return the shape of a schema; raise TerminalError naming the place of what is not understood."""
        if schema is True:
            return ANYTHING
        if not isinstance(schema, Mapping):
            raise TerminalError(f"{where} is no schema; write an object of keywords")
        if "$ref" in schema:
            return self._referenced(schema, where)
        refuse_unknown(schema, _STRUCTURE | _MARKS | _WORDS | LIMITS, where)
        others, is_closed = self._others(schema, where)
        shape = Shape(
            types=_types(schema, where),
            enum=_enum(schema, where),
            properties={
                name: self.shape(each, f"{where}.{name}") for name, each in schema.get("properties", {}).items()
            },
            required=frozenset(schema.get("required", ())),
            others=others,
            is_closed=is_closed,
            items=self.shape(schema["items"], f"{where}[]") if "items" in schema else None,
            alternatives=self._alternatives(schema, where),
            limits={keyword: schema[keyword] for keyword in sorted(LIMITS & schema.keys())},
        )
        return _marked(shape, schema, where)

    def resolve(self, thing: Any, where: str) -> Any:
        """Return what a reference points at, whatever it is; anything else as it is."""
        if not isinstance(thing, Mapping) or "$ref" not in thing:
            return thing
        reference = thing["$ref"]
        found: Any = self._document
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise TerminalError(f"{where} points outside its document; bring what it points at into the file")
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if found is None:
            raise TerminalError(f"{where} points at {reference}, which is not there")
        return found

    def _referenced(self, schema: Mapping[str, Any], where: str) -> Shape:
        refuse_unknown(schema, _BESIDE_A_REFERENCE, where)
        reference = schema["$ref"]
        if reference not in self._read:
            if reference in self._being_read:
                raise TerminalError(f"{reference} holds itself; a contract that is compared must end somewhere")
            self._being_read.append(reference)
            name = reference.rpartition("/")[2]
            self._read[reference] = replace(self.shape(self.resolve(schema, where), name), name=name)
            self._being_read.pop()
        shared = self._read[reference]
        return _marked(replace(shared, name="") if "x-money" in schema else shared, schema, where)

    def _others(self, schema: Mapping[str, Any], where: str) -> tuple[Shape | None, bool]:
        if "additionalProperties" not in schema:
            return None, False
        if schema["additionalProperties"] is False:
            return None, True
        return self.shape(schema["additionalProperties"], f"{where}.*"), False

    def _alternatives(self, schema: Mapping[str, Any], where: str) -> dict[str, Shape]:
        forms = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        named = {_form_name(form, position): form for position, form in enumerate(forms, 1)}
        if len(named) < len(forms):
            raise TerminalError(f"{where} names two alternatives alike; give each its own title")
        return {name: self.shape(form, f"{where}({name})") for name, form in named.items()}


def refuse_unknown(thing: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Raise TerminalError where a part of a document has a keyword that is not understood."""
    unknown = sorted(str(keyword) for keyword in thing.keys() - known)
    if unknown:
        raise TerminalError(
            f"{where} uses {', '.join(unknown)}, which shared/contracts does not understand; teach it there first"
        )


def _types(schema: Mapping[str, Any], where: str) -> frozenset[str]:
    stated = schema.get("type", ())
    types = frozenset((stated,) if isinstance(stated, str) else stated)
    if not types <= JSON_TYPES:
        raise TerminalError(f"{where} names no JSON type: {', '.join(sorted(types - JSON_TYPES))}")
    return types


def _enum(schema: Mapping[str, Any], where: str) -> frozenset[str] | None:
    if "const" in schema and "enum" in schema:
        raise TerminalError(f"{where} has both const and enum; write one")
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else frozenset(json.dumps(value, ensure_ascii=False) for value in values)


def _form_name(form: Any, position: int) -> str:
    if isinstance(form, Mapping):
        if "$ref" in form:
            return str(form["$ref"]).rpartition("/")[2]
        if "title" in form:
            return str(form["title"])
    return f"form {position}"


def _marked(shape: Shape, schema: Mapping[str, Any], where: str) -> Shape:
    """Return the shape with the marks that the schema gives it; a reference keeps those of its target otherwise."""
    certainty = schema.get("x-certainty", shape.certainty)
    if certainty and certainty not in CERTAINTIES:
        raise TerminalError(f"{where}: x-certainty is {certainty!r}; write {' or '.join(CERTAINTIES)}")
    return replace(
        shape,
        money=_money(schema["x-money"], where) if "x-money" in schema else shape.money,
        certainty=certainty,
        is_personal=bool(schema.get("x-personal", shape.is_personal)),
        is_deprecated=bool(schema.get("deprecated", shape.is_deprecated)),
    )


def _money(money: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(money, Mapping) or money.keys() != _MONEY_KEYS:
        raise TerminalError(f"{where}: x-money says exactly {', '.join(sorted(_MONEY_KEYS))}")
    for key, words in _MONEY.items():
        if money[key] not in words:
            raise TerminalError(f"{where}: the {key} of x-money is one of {', '.join(words)}")
    if type(money["scale"]) is not int or money["scale"] < 1:
        raise TerminalError(f"{where}: the scale of x-money is how many parts make one whole, a positive integer")
    return dict(money)
