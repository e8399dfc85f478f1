"""A shape, compiled once: says in microseconds that a body keeps to it, and nothing about one that does not.

What the compiled form lets pass has no departure (shared/contracts/observation.py says which there are otherwise); what it
stops may have none either, for it is the stricter of the two in doubt. So it saves the long way and decides nothing.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import CoreConfig, SchemaValidator, ValidationError, core_schema

from shared.contracts.observation import has_format
from shared.contracts.shape import Shape

_CONFIG = CoreConfig(allow_inf_nan=False)
_USUAL = {
    "date-time": r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z$",
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
"""What values of a format usually look like: the engine sees that without asking Python. What looks otherwise is asked."""
_MORE_LIKELY_FIRST = ("string", "integer", "number", "object", "array", "boolean", "null")


def compiled(shape: Shape) -> Callable[[bytes], bool]:
    """Return a test of JSON bytes that holds only where their content has no departure from the shape."""
    validator = SchemaValidator(_schema(shape), _CONFIG)

    def conforms(body: bytes) -> bool:
        try:
            validator.validate_json(body, strict=True)
        except ValidationError:
            return False
        return True

    return conforms


def knowing(shape: Shape, path: str) -> Shape | None:
    """Return the shape with one more field that may hold anything, or None where the path leads nowhere in it.

    `path` is as a departure names it: `data.payments[].installments`.
    """
    if shape.alternatives:
        forms = {name: knowing(form, path) for name, form in shape.alternatives.items()}
        known = {name: form or shape.alternatives[name] for name, form in forms.items()}
        return replace(shape, alternatives=known) if any(forms.values()) else None
    if path.startswith("[]"):
        inner = knowing(shape.items, path[2:].removeprefix(".")) if shape.items else None
        return replace(shape, items=inner) if inner else None
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    rest = path[len(name) :].removeprefix(".")
    if rest:
        field = knowing(shape.properties[name], rest) if name in shape.properties else None
    else:
        field = Shape() if shape.properties and name not in shape.properties else None
    return replace(shape, properties={**shape.properties, name: field}) if field else None


def _schema(shape: Shape) -> core_schema.CoreSchema:
    if not shape.types and not shape.alternatives and not shape.properties and shape.enum is None:
        return core_schema.any_schema()
    if shape.alternatives:
        if shape.types or shape.properties or shape.enum is not None:
            return _nothing()
        return core_schema.union_schema([_schema(form) for form in shape.alternatives.values()], mode="left_to_right")
    forms = [_FORMS[name](shape) for name in _MORE_LIKELY_FIRST if name in (shape.types or _FORMS)]
    return forms[0] if len(forms) == 1 else core_schema.union_schema(list(forms), mode="left_to_right")


def _text(shape: Shape) -> core_schema.CoreSchema:
    limits = shape.limits
    pattern = limits.get("pattern")
    text = core_schema.str_schema(
        # The pattern is matched as observation matches it: by this very engine, anywhere in the text.
        pattern=re.compile(pattern) if pattern else None,
        min_length=limits.get("minLength"),
        max_length=limits.get("maxLength"),
    )
    if "format" in limits and shape.enum is not None:
        return _nothing()
    if "format" in limits:
        checked = core_schema.no_info_after_validator_function(_format_check(limits["format"]), text)
        usual = _USUAL.get(limits["format"]) if limits.keys() == {"format"} else None
        if usual is None:
            return checked
        return core_schema.union_schema([core_schema.str_schema(pattern=usual), checked], mode="left_to_right")
    if shape.enum is None:
        return text
    words = [word for word in map(json.loads, shape.enum) if isinstance(word, str)]
    if not limits.get("x-any-case"):
        return core_schema.literal_schema(words) if words else _nothing()
    return core_schema.no_info_after_validator_function(_any_case_check(frozenset(map(str.casefold, words))), text)


def _format_check(name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not has_format(name, text):
            raise ValueError(name)
        return text

    return check


def _any_case_check(words: frozenset[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.casefold() not in words:
            raise ValueError("another word")
        return text

    return check


def _whole(shape: Shape) -> core_schema.CoreSchema:
    if shape.enum is not None:
        return _nothing()
    return core_schema.int_schema(**_bounds(shape))


def _number(shape: Shape) -> core_schema.CoreSchema:
    """Judge a number by whether it is one, and by its bounds; its value goes nowhere."""
    if shape.enum is not None:
        return _nothing()
    return core_schema.float_schema(**_bounds(shape))


def _bounds(shape: Shape) -> dict[str, Any]:
    names = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
    bounds = {ours: shape.limits[theirs] for theirs, ours in names.items() if theirs in shape.limits}
    if shape.money and shape.money["sign"] == "unsigned":
        bounds["ge"] = max(0, bounds.get("ge", 0))
    return bounds


def _object(shape: Shape) -> core_schema.CoreSchema:
    if not (shape.properties or shape.required or shape.is_closed or shape.others):
        return core_schema.dict_schema()
    fields = {
        name: core_schema.typed_dict_field(
            _schema(shape.properties.get(name, Shape())), required=name in shape.required
        )
        for name in sorted({*shape.properties, *shape.required})
    }
    if shape.others is None:
        return core_schema.typed_dict_schema(fields, extra_behavior="forbid")
    return core_schema.typed_dict_schema(fields, extra_behavior="allow", extras_schema=_schema(shape.others))


def _array(shape: Shape) -> core_schema.CoreSchema:
    return core_schema.list_schema(
        _schema(shape.items) if shape.items else None,
        min_length=shape.limits.get("minItems"),
        max_length=shape.limits.get("maxItems"),
    )


def _truth(shape: Shape) -> core_schema.CoreSchema:
    return core_schema.bool_schema() if shape.enum is None else _nothing()


def _null(shape: Shape) -> core_schema.CoreSchema:
    return core_schema.none_schema() if shape.enum is None or "null" in shape.enum else _nothing()


def _nothing() -> core_schema.CoreSchema:
    """Return what nothing keeps to: the long way decides."""
    return core_schema.no_info_plain_validator_function(_refuse)


def _refuse(_value: object) -> object:
    raise ValueError("looked at the long way")


_FORMS: Mapping[str, Callable[[Shape], core_schema.CoreSchema]] = {
    "string": _text,
    "integer": _whole,
    "number": _number,
    "object": _object,
    "array": _array,
    "boolean": _truth,
    "null": _null,
}
