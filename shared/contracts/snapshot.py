"""A snapshot of a provider's contract: an OpenAPI 3.1 document, read into operations and the messages that they carry."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from shared.contracts.shape import Shape, ShapeReader, refuse_unknown
from shared.domain.errors import NotFoundError, TerminalError

FOLDER = Path(__file__).parent / "providers"
"""One folder per provider; the pinned snapshot in each is `openapi.yaml`."""

JSON_MEDIA = "application/json"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_ROOT = frozenset(
    {"openapi", "info", "servers", "tags", "security", "paths", "webhooks", "components", "x-event-type-field"}
)
_COMPONENTS = frozenset({"schemas", "parameters", "responses", "securitySchemes", "pathItems", "headers"})
_PATH_ITEM = frozenset({*_METHODS, "summary", "description", "parameters"})
_OPERATION = frozenset(
    {
        "operationId",
        "summary",
        "description",
        "tags",
        "parameters",
        "requestBody",
        "responses",
        "security",
        "x-certainty",
    }
)
_PARAMETER = frozenset({"name", "in", "description", "required", "schema", "example", "deprecated"})
_BODY = frozenset({"description", "required", "content"})
_RESPONSE = frozenset({"description", "content", "headers"})
_MEDIA = frozenset({"schema", "example", "examples"})


class Side(StrEnum):
    """Who writes a message. Of a webhook we are the server: its request body is written by the provider, and read by us."""

    THEIRS = "theirs"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Message:
    """One message in one direction: its `body`, and `header …`, `query …`, `path …` as fields beside it."""

    side: Side
    shape: Shape


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of ours to the provider, or one webhook of the provider to us."""

    name: str
    """`GET /accounts/shifts/{}`, or `webhook ticket.created`."""
    is_webhook: bool
    access: str
    """What authenticates it, as JSON text."""
    messages: Mapping[str, Message]
    """`request`, and `answer <status>` for each status."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A snapshot, ready to be compared and to be held against what arrives."""

    version: str
    frame: Mapping[str, str]
    """What concerns every operation, as JSON text: servers, ways of access, the field that names an event's type."""
    event_type_field: str
    operations: Mapping[str, Operation]

    def event_shape(self, event_type: str) -> Shape | None:
        """Return what the body of a webhook of this type holds; None where the contract does not know the type."""
        return self._body(f"webhook {event_type}", "request")

    def answer(self, target: str) -> tuple[str, Shape] | None:
        """Return operation and body of a good answer to a call such as `GET /operations/tickets/65f0`; None if unknown."""
        method, _, rest = target.partition(" ")
        path = rest.partition("?")[0].split("/")
        for operation in self.operations.values():
            known_method, _, template = operation.name.partition(" ")
            if known_method == method and _is_path_of(template.split("/"), path):
                shape = self._body(operation.name, "answer 200")
                return (operation.name, shape) if shape else None
        return None

    def _body(self, operation: str, message: str) -> Shape | None:
        known = self.operations.get(operation)
        said = known.messages.get(message) if known else None
        return said.shape.properties.get("body") if said else None


def pinned(provider: str) -> Contract:
    """Return the pinned contract of a provider; raise NotFoundError if it has none."""
    path = FOLDER / provider / "openapi.yaml"
    if provider not in pinned_providers():
        raise NotFoundError(f"no contract of {provider!r} is pinned; there are: {', '.join(pinned_providers())}")
    return load(path)


def pinned_providers() -> tuple[str, ...]:
    """Return the providers whose contract is pinned, in order of name."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/openapi.yaml")))


def load(path: Path) -> Contract:
    """Read a snapshot from a YAML or JSON file; raise TerminalError naming what is wrong with it."""
    try:
        return contract(parse(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFoundError(f"there is no snapshot at {path}") from None
    except (TerminalError, UnicodeDecodeError) as fault:
        raise TerminalError(f"{path}: {fault}") from None


def parse(text: str) -> dict[str, Any]:
    """Return the document that a text holds; a key that is given twice is refused, for one of the two would be lost."""
    try:
        document = yaml.load(text, _StrictLoader)  # noqa: S506  a safe loader that refuses repeated keys
    except yaml.YAMLError as malformed:
        raise TerminalError(f"the snapshot is no YAML: {malformed}") from None
    if not isinstance(document, dict):
        raise TerminalError("the snapshot is no OpenAPI document: it holds no keys")
    return document


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C where it is built in: a door reads its contracts with its first delivery."""


class _StrictLoader(_SafeLoader):  # type: ignore[misc]  # which of the two it is, only the installed package knows
    """Builds plain values and refuses a mapping that gives one key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  the signature of PyYAML
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise TerminalError(f"line {node.start_mark.line + 1} gives {', '.join(sorted(repeated))} twice")
        built: dict[Any, Any] = super().construct_mapping(node, deep)
        return built


def contract(document: Mapping[str, Any]) -> Contract:
    """Read an OpenAPI 3.1 document; raise TerminalError naming the place of what is not understood."""
    if not str(document.get("openapi", "")).startswith("3.1."):
        raise TerminalError("the snapshot must be OpenAPI 3.1: earlier versions have no webhooks")
    refuse_unknown(document, _ROOT, "the document")
    components = document.get("components", {})
    refuse_unknown(components, _COMPONENTS, "components")
    reader = _Reader(document)
    operations = [*reader.calls(), *reader.webhooks()]
    event_type_field = document.get("x-event-type-field", "")
    return Contract(
        version=str(document.get("info", {}).get("version", "")),
        frame={
            "servers": _text([server.get("url") for server in document.get("servers", ())]),
            "ways of access": _text(components.get("securitySchemes", {})),
            "field of the event type": _text(event_type_field),
        },
        event_type_field=event_type_field,
        operations={operation.name: operation for operation in operations},
    )


class _Reader:
    """Reads the operations of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._shapes = ShapeReader(document)

    def calls(self) -> Iterator[Operation]:
        """Yield what we may call."""
        for path, item in self._document.get("paths", {}).items():
            template = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
            for method, operation in self._methods(item, path):
                name = f"{method.upper()} {template}"
                yield self._operation(name, operation, path=path)

    def webhooks(self) -> Iterator[Operation]:
        """Yield what calls us."""
        for event, item in self._document.get("webhooks", {}).items():
            methods = list(self._methods(item, event))
            if [method for method, _ in methods] != ["post"]:
                raise TerminalError(f"webhook {event} must have one method, post")
            yield self._operation(f"webhook {event}", methods[0][1])

    def _methods(self, item: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        resolved = self._shapes.resolve(item, where)
        refuse_unknown(resolved, _PATH_ITEM, where)
        common = resolved.get("parameters", ())
        for method in _METHODS:
            if method in resolved:
                operation = resolved[method]
                yield method, {**operation, "parameters": [*common, *operation.get("parameters", ())]}

    def _operation(self, name: str, operation: Mapping[str, Any], path: str = "") -> Operation:
        refuse_unknown(operation, _OPERATION, name)
        is_webhook = not path
        asks, answers = (Side.THEIRS, Side.OURS) if is_webhook else (Side.OURS, Side.THEIRS)
        messages = {"request": Message(asks, self._request(operation, name, path))}
        for status, response in operation.get("responses", {}).items():
            messages[f"answer {status}"] = Message(answers, self._answer(response, f"{name} answer {status}"))
        access = operation.get("security", self._document.get("security", []))
        return Operation(name, is_webhook, _text(access), messages)

    def _request(self, operation: Mapping[str, Any], where: str, path: str) -> Shape:
        fields: dict[str, Shape] = {}
        required: set[str] = set()
        for each in operation["parameters"]:
            parameter = self._shapes.resolve(each, where)
            refuse_unknown(parameter, _PARAMETER, where)
            field = _parameter_name(parameter, path)
            fields[field] = self._shapes.shape(parameter["schema"], f"{where} {field}")
            if parameter.get("required"):
                required.add(field)
        body = operation.get("requestBody", {})
        refuse_unknown(body, _BODY, where)
        bodies = self._bodies(body.get("content", {}), where)
        if body.get("required"):
            required |= bodies.keys()
        return Shape(frozenset({"object"}), properties={**fields, **bodies}, required=frozenset(required))

    def _answer(self, response: Any, where: str) -> Shape:
        resolved = self._shapes.resolve(response, where)
        refuse_unknown(resolved, _RESPONSE, where)
        fields: dict[str, Shape] = {}
        required: set[str] = set()
        for name, each in resolved.get("headers", {}).items():
            header = self._shapes.resolve(each, where)
            refuse_unknown(header, _PARAMETER, where)
            fields[f"header {name.lower()}"] = self._shapes.shape(header["schema"], f"{where} {name}")
            if header.get("required"):
                required.add(f"header {name.lower()}")
        bodies = self._bodies(resolved.get("content", {}), where)
        return Shape(
            frozenset({"object"}), properties={**fields, **bodies}, required=frozenset({*required, *bodies.keys()})
        )

    def _bodies(self, content: Mapping[str, Any], where: str) -> dict[str, Shape]:
        bodies = {}
        for media, each in content.items():
            refuse_unknown(each, _MEDIA, where)
            name = "body" if media == JSON_MEDIA else f"body ({media})"
            bodies[name] = self._shapes.shape(each.get("schema", True), f"{where} {name}")
        return bodies


def _parameter_name(parameter: Mapping[str, Any], path: str) -> str:
    """Return the name that tells parameters apart; of a path that is the place, for its name means nothing on the wire."""
    place, name = parameter["in"], parameter["name"]
    if place == "path":
        return f"path part {path.split('/').index('{' + name + '}')}"
    return f"{place} {name.lower() if place == 'header' else name}"


def _is_path_of(template: list[str], path: list[str]) -> bool:
    return len(template) == len(path) and all(known in ("{}", part) for known, part in zip(template, path, strict=True))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
