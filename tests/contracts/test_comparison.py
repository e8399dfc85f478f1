"""Every kind of change is made somewhere in the snapshot, and is found, named and weighed by who writes the message."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.comparison import Change, ChangeKind, Severity, compare
from shared.contracts.snapshot import FOLDER, Contract, contract, parse

HARMLESS, NOTABLE, BREAKING = Severity.HARMLESS, Severity.NOTABLE, Severity.BREAKING
K = ChangeKind
DOCUMENT = parse((FOLDER / "betterez" / "openapi.yaml").read_text(encoding="utf-8"))

Node = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """One way to change a schema, and what the comparison must say of it."""

    name: str
    kind: ChangeKind
    read: Severity
    """Where the provider writes the message."""
    written: Severity
    """Where we write it."""
    fits: Callable[[Node], bool]
    apply: Callable[[Node], None]


def _is_money(node: Node) -> bool:
    return "x-money" in node


def _is_plain(node: Node) -> bool:
    return "type" in node and not _is_money(node)


def _types(node: Node) -> list[str]:
    stated = node["type"]
    return [stated] if isinstance(stated, str) else list(stated)


def _has_fields(node: Node) -> bool:
    return bool(node.get("properties"))


def _optional(node: Node) -> list[str]:
    return sorted(set(node.get("properties", {})) - set(node.get("required", ())))


def _add_field(node: Node, schema: Node, *, is_required: bool) -> None:
    node["properties"]["addedLater"] = schema
    if is_required:
        node["required"] = [*node.get("required", ()), "addedLater"]


def _remove_field(node: Node) -> None:
    name = min(node["properties"])
    del node["properties"][name]
    node["required"] = [each for each in node.get("required", ()) if each != name]


def _drop_type(node: Node) -> None:
    node["type"] = _types(node)[:-1]


def _money(key: str, value: object) -> Callable[[Node], None]:
    def apply(node: Node) -> None:
        node["x-money"] = {**node["x-money"], key: value}

    return apply


def _money_differs(key: str, value: object) -> Callable[[Node], bool]:
    return lambda node: _is_money(node) and node["x-money"][key] != value


def _set(key: str, value: object) -> Callable[[Node], None]:
    def apply(node: Node) -> None:
        node[key] = value

    return apply


def _unset(key: str) -> Callable[[Node], None]:
    def apply(node: Node) -> None:
        del node[key]

    return apply


_AMOUNT = {
    "type": "integer",
    "x-money": {"unit": "currency", "scale": 100, "sign": "signed", "currency-from": "currency"},
}

MUTATIONS = (
    Mutation(
        "optional field added",
        K.FIELD_ADDED,
        HARMLESS,
        HARMLESS,
        _has_fields,
        lambda node: _add_field(node, {"type": "string"}, is_required=False),
    ),
    Mutation(
        "required field added",
        K.FIELD_ADDED,
        HARMLESS,
        BREAKING,
        _has_fields,
        lambda node: _add_field(node, {"type": "string"}, is_required=True),
    ),
    Mutation(
        "amount added",
        K.FIELD_ADDED,
        NOTABLE,
        HARMLESS,
        _has_fields,
        lambda node: _add_field(node, deepcopy(_AMOUNT), is_required=False),
    ),
    Mutation("field removed", K.FIELD_REMOVED, BREAKING, BREAKING, _has_fields, _remove_field),
    Mutation(
        "optional field required",
        K.NOW_REQUIRED,
        HARMLESS,
        BREAKING,
        lambda node: bool(_optional(node)),
        lambda node: _set("required", [*node.get("required", ()), _optional(node)[0]])(node),
    ),
    Mutation(
        "required field optional",
        K.NOW_OPTIONAL,
        BREAKING,
        HARMLESS,
        lambda node: bool(node.get("required")),
        lambda node: _set("required", node["required"][1:])(node),
    ),
    Mutation(
        "null allowed",
        K.TYPE,
        BREAKING,
        HARMLESS,
        lambda node: _is_plain(node) and "null" not in _types(node),
        lambda node: _set("type", [*_types(node), "null"])(node),
    ),
    Mutation(
        "one type fewer", K.TYPE, HARMLESS, BREAKING, lambda node: _is_plain(node) and len(_types(node)) > 1, _drop_type
    ),
    Mutation(
        "integer becomes number",
        K.TYPE,
        BREAKING,
        HARMLESS,
        lambda node: _is_plain(node) and _types(node) == ["integer"],
        _set("type", "number"),
    ),
    Mutation(
        "another type",
        K.TYPE,
        BREAKING,
        BREAKING,
        lambda node: _is_plain(node) and "boolean" not in _types(node),
        _set("type", "boolean"),
    ),
    Mutation(
        "word added",
        K.ENUM,
        BREAKING,
        HARMLESS,
        lambda node: "enum" in node,
        lambda node: _set("enum", [*node["enum"], "added later"])(node),
    ),
    Mutation(
        "word removed",
        K.ENUM,
        HARMLESS,
        BREAKING,
        lambda node: "enum" in node,
        lambda node: _set("enum", node["enum"][1:])(node),
    ),
    Mutation("enumeration opened", K.ENUM, BREAKING, HARMLESS, lambda node: "enum" in node, _unset("enum")),
    Mutation(
        "text closed to words",
        K.ENUM,
        HARMLESS,
        BREAKING,
        lambda node: node.get("type") == "string" and "enum" not in node,
        _set("enum", ["only this"]),
    ),
    Mutation(
        "pattern set",
        K.LIMIT,
        HARMLESS,
        BREAKING,
        lambda node: node.get("type") == "string" and "pattern" not in node,
        _set("pattern", "^x"),
    ),
    Mutation("pattern lifted", K.LIMIT, BREAKING, HARMLESS, lambda node: "pattern" in node, _unset("pattern")),
    Mutation("another pattern", K.LIMIT, BREAKING, BREAKING, lambda node: "pattern" in node, _set("pattern", "^x")),
    Mutation("another format", K.LIMIT, BREAKING, BREAKING, lambda node: "format" in node, _set("format", "other")),
    Mutation("floor raised", K.LIMIT, HARMLESS, BREAKING, lambda node: "minimum" in node, _set("minimum", 5)),
    Mutation("floor lowered", K.LIMIT, BREAKING, HARMLESS, lambda node: "minimum" in node, _set("minimum", -5)),
    Mutation("ceiling lowered", K.LIMIT, HARMLESS, BREAKING, lambda node: "maximum" in node, _set("maximum", 5)),
    Mutation("ceiling raised", K.LIMIT, BREAKING, HARMLESS, lambda node: "maximum" in node, _set("maximum", 10**20)),
    Mutation("case counts", K.LIMIT, HARMLESS, BREAKING, lambda node: "x-any-case" in node, _unset("x-any-case")),
    Mutation(
        "undeclared fields ruled out",
        K.OPENNESS,
        HARMLESS,
        BREAKING,
        lambda node: _has_fields(node) and "additionalProperties" not in node,
        _set("additionalProperties", False),  # noqa: FBT003  a keyword's value
    ),
    Mutation(
        "undeclared fields declared",
        K.OPENNESS,
        NOTABLE,
        NOTABLE,
        lambda node: _has_fields(node) and "additionalProperties" not in node,
        _set("additionalProperties", True),  # noqa: FBT003  a keyword's value
    ),
    Mutation(
        "alternative added",
        K.ALTERNATIVE_ADDED,
        BREAKING,
        HARMLESS,
        lambda node: "anyOf" in node,
        lambda node: _set("anyOf", [*node["anyOf"], {"title": "added later", "type": "string"}])(node),
    ),
    Mutation(
        "alternative removed",
        K.ALTERNATIVE_REMOVED,
        HARMLESS,
        BREAKING,
        lambda node: "anyOf" in node,
        lambda node: _set("anyOf", node["anyOf"][:-1])(node),
    ),
    Mutation(
        "first alternative",
        K.ALTERNATIVE_ADDED,
        HARMLESS,
        BREAKING,
        lambda node: "type" in node and "anyOf" not in node,
        _set("anyOf", [{"title": "added later"}]),
    ),
    Mutation("scale changed", K.MONEY_SCALE, BREAKING, BREAKING, _money_differs("scale", 100), _money("scale", 100)),
    Mutation(
        "sign lost", K.MONEY_SIGN, BREAKING, BREAKING, _money_differs("sign", "unsigned"), _money("sign", "unsigned")
    ),
    Mutation(
        "sign gained", K.MONEY_SIGN, BREAKING, BREAKING, _money_differs("sign", "signed"), _money("sign", "signed")
    ),
    Mutation(
        "unit changed", K.MONEY_UNIT, BREAKING, BREAKING, _money_differs("unit", "percent"), _money("unit", "percent")
    ),
    Mutation("currency changed", K.MONEY_CURRENCY, BREAKING, BREAKING, _is_money, _money("currency-from", "elsewhere")),
    Mutation("money undeclared", K.MONEY_MARK, BREAKING, BREAKING, _is_money, _unset("x-money")),
    Mutation(
        "amount becomes decimal",
        K.MONEY_TYPE,
        BREAKING,
        BREAKING,
        lambda node: _is_money(node) and "integer" in _types(node),
        _set("type", "number"),
    ),
    Mutation(
        "amount becomes integer",
        K.MONEY_TYPE,
        BREAKING,
        BREAKING,
        lambda node: _is_money(node) and "number" in _types(node),
        _set("type", "integer"),
    ),
    Mutation("amount becomes text", K.MONEY_TYPE, BREAKING, BREAKING, _is_money, _set("type", "string")),
    Mutation(
        "assumption confirmed",
        K.CERTAINTY,
        HARMLESS,
        HARMLESS,
        lambda node: node.get("x-certainty") == "assumed",
        _set("x-certainty", "documented"),
    ),
    Mutation(
        "document withdrawn",
        K.CERTAINTY,
        NOTABLE,
        NOTABLE,
        lambda node: node.get("x-certainty") == "documented",
        _set("x-certainty", "assumed"),
    ),
    Mutation(
        "person found",
        K.PERSONAL,
        NOTABLE,
        NOTABLE,
        lambda node: "type" in node and "x-personal" not in node,
        _set("x-personal", True),  # noqa: FBT003  a keyword's value
    ),
    Mutation("deprecated", K.DEPRECATED, NOTABLE, NOTABLE, lambda node: "type" in node, _set("deprecated", True)),  # noqa: FBT003  a keyword's value
)


def _nodes(node: Any) -> Iterator[Node]:
    """Yield every schema below and including one, in a fixed order."""
    if not isinstance(node, dict):
        return
    yield node
    for child in node.get("properties", {}).values():
        yield from _nodes(child)
    yield from _nodes(node.get("items"))
    for child in node.get("anyOf", ()):
        yield from _nodes(child)


def _all_nodes(document: Node) -> list[Node]:
    return [node for schema in document["components"]["schemas"].values() for node in _nodes(schema)]


def _mutated(mutation: Mutation, pick: int) -> tuple[str, Node]:
    """Return the name of the part that was changed, and the document with that one change."""
    schemas: Node = DOCUMENT["components"]["schemas"]
    fitting = [
        (name, position)
        for name, schema in schemas.items()
        for position, node in enumerate(_nodes(schema))
        if mutation.fits(node)
    ]
    name, position = fitting[pick % len(fitting)]
    changed = deepcopy(schemas[name])
    mutation.apply(list(_nodes(changed))[position])
    return name, {**DOCUMENT, "components": {**DOCUMENT["components"], "schemas": {**schemas, name: changed}}}


def _read(document: Node, name: str) -> Contract:
    """Return a contract in which the provider writes a part: it is the body of a webhook."""
    return contract({**document, "paths": {}, "webhooks": {"told": _posted(name)}})


def _written(document: Node, name: str) -> Contract:
    """Return a contract in which we write a part: it is the body of a request."""
    return contract({**document, "webhooks": {}, "paths": {"/told": _posted(name)}})


def _posted(name: str) -> Node:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"post": {"requestBody": {"required": True, "content": content}, "responses": {}}}


WHOLE = contract(DOCUMENT)

each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
somewhere = given(pick=st.integers(0, 400))
some_places = settings(max_examples=settings().max_examples // 15)
one_place = settings(max_examples=settings().max_examples // 60)
"""Each kind of change is made in a few places drawn from the whole snapshot; ASIENTO_SEARCH=deep draws more."""


def _found(changes: tuple[Change, ...]) -> tuple[set[ChangeKind], set[Severity]]:
    return {change.kind for change in changes}, {change.severity for change in changes}


@each_mutation
def test_can_be_made_somewhere(mutation: Mutation) -> None:
    """Asiento's generator can make each kind of change in the real snapshot: a rule that nothing tries proves nothing."""
    assert any(mutation.fits(node) for node in _all_nodes(DOCUMENT))


def test_tries_every_kind_of_change() -> None:
    """Asiento's generator leaves out no kind of change inside a message."""
    of_operations = {K.OPERATION_ADDED, K.OPERATION_REMOVED, K.MESSAGE_ADDED, K.MESSAGE_REMOVED, K.FRAME, K.ACCESS}
    assert {mutation.kind for mutation in MUTATIONS} == set(ChangeKind) - of_operations


@each_mutation
@some_places
@somewhere
def test_weighs_what_the_provider_writes(mutation: Mutation, pick: int) -> None:
    """Asiento finds any one change in a webhook payload, alone, and weighs it as the one who must read it."""
    name, changed = _mutated(mutation, pick)
    changes = compare(_read(DOCUMENT, name), _read(changed, name))
    assert _found(changes) == ({mutation.kind}, {mutation.read})


@each_mutation
@some_places
@somewhere
def test_weighs_what_we_write(mutation: Mutation, pick: int) -> None:
    """Asiento finds any one change in a request, alone, and weighs it as the one who must be understood."""
    name, changed = _mutated(mutation, pick)
    changes = compare(_written(DOCUMENT, name), _written(changed, name))
    assert _found(changes) == ({mutation.kind}, {mutation.written})


@each_mutation
@one_place
@somewhere
def test_finds_every_change_in_the_whole_contract(mutation: Mutation, pick: int) -> None:
    """Asiento finds any one change in the contract as it is, in every place that shares the part."""
    _, changed = _mutated(mutation, pick)
    changes = compare(WHOLE, contract(changed))
    assert {change.kind for change in changes} == {mutation.kind}
    assert all(_expected(change, mutation) is change.severity for change in changes)
    is_said_of_each_place = mutation.kind in (K.CERTAINTY, K.PERSONAL, K.DEPRECATED)
    assert is_said_of_each_place or len({change.part for change in changes}) == 1


def _expected(change: Change, mutation: Mutation) -> Severity:
    is_ours = change.message == "request" and not change.operation.startswith("webhook")
    return mutation.written if is_ours else mutation.read


def test_finds_nothing_where_nothing_changed() -> None:
    """Asiento says nothing of two snapshots that say the same, whatever the order of their keys."""
    turned = {key: DOCUMENT[key] for key in reversed(DOCUMENT)}
    assert compare(WHOLE, contract(turned)) == ()


# Whole operations


def _changed(change: Callable[[Node], None]) -> tuple[Change, ...]:
    after = deepcopy(DOCUMENT)
    change(after)
    return compare(WHOLE, contract(after))


def _only(changes: tuple[Change, ...]) -> tuple[str, str, str, Severity]:
    (change,) = changes
    return change.operation, change.message, change.kind.value, change.severity


def _remove_webhook(document: Node) -> None:
    del document["webhooks"]["ticket.created"]


def _add_webhook(document: Node) -> None:
    document["webhooks"]["ticket.burnt"] = {"$ref": "#/components/pathItems/TicketEvent"}


def _remove_call(document: Node) -> None:
    del document["paths"]["/accounts/shifts"]


def _add_call(document: Node) -> None:
    document["paths"]["/operations/seats"] = {"get": {"responses": {}}}


def _other_access(document: Node) -> None:
    document["paths"]["/accounts/shifts"]["get"]["security"] = [{"apiKey": []}]


def _other_server(document: Node) -> None:
    document["servers"] = [{"url": "https://api2.betterez.com"}]


def _other_event_field(document: Node) -> None:
    document["x-event-type-field"] = "type"


def _shifts(document: Node) -> Node:
    operation: Node = document["paths"]["/accounts/shifts"]["get"]
    return operation


def _good_answer_gone(document: Node) -> None:
    del _shifts(document)["responses"]["200"]


def _good_answer_new(document: Node) -> None:
    _shifts(document)["responses"]["206"] = {"description": "part"}


def _failure_gone(document: Node) -> None:
    del _shifts(document)["responses"]["401"]


def _failure_new(document: Node) -> None:
    _shifts(document)["responses"]["503"] = {"description": "down"}


def _our_answer_gone(document: Node) -> None:
    del document["components"]["pathItems"]["RefundEvent"]["post"]["responses"]["200"]


def _our_answer_new(document: Node) -> None:
    document["components"]["pathItems"]["RefundEvent"]["post"]["responses"]["202"] = {"description": "later"}


def _parameter_new(document: Node) -> None:
    _shifts(document)["parameters"].append({"name": "page", "in": "query", "required": False, "schema": {}})


def _parameter_demanded(document: Node) -> None:
    _shifts(document)["parameters"].append({"name": "page", "in": "query", "required": True, "schema": {}})


def _parameter_gone(document: Node) -> None:
    _shifts(document)["parameters"].pop()


def _header_new(document: Node) -> None:
    document["components"]["responses"]["Kept"]["headers"] = {
        "X-Seen": {"schema": {"type": "string"}, "required": True}
    }


def _signature_gone(document: Node) -> None:
    document["components"]["pathItems"]["RefundEvent"]["post"]["parameters"] = []


def _other_media(document: Node) -> None:
    body = document["components"]["pathItems"]["RefundEvent"]["post"]["requestBody"]
    body["content"]["text/csv"] = {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_remove_webhook, ("webhook ticket.created", "", "operation removed", BREAKING)),
        (_add_webhook, ("webhook ticket.burnt", "", "operation added", NOTABLE)),
        (_remove_call, ("GET /accounts/shifts", "", "operation removed", BREAKING)),
        (_add_call, ("GET /operations/seats", "", "operation added", HARMLESS)),
        (_other_access, ("GET /accounts/shifts", "", "access changed", BREAKING)),
        (_other_server, ("", "", "frame changed", BREAKING)),
        (_other_event_field, ("", "", "frame changed", BREAKING)),
        (_good_answer_gone, ("GET /accounts/shifts", "answer 200", "message removed", BREAKING)),
        (_good_answer_new, ("GET /accounts/shifts", "answer 206", "message added", BREAKING)),
        (_failure_gone, ("GET /accounts/shifts", "answer 401", "message removed", HARMLESS)),
        (_failure_new, ("GET /accounts/shifts", "answer 503", "message added", NOTABLE)),
        (_our_answer_gone, ("webhook refund.created", "answer 200", "message removed", BREAKING)),
        (_our_answer_new, ("webhook refund.created", "answer 202", "message added", HARMLESS)),
        (_parameter_new, ("GET /accounts/shifts", "request", "field added", HARMLESS)),
        (_parameter_demanded, ("GET /accounts/shifts", "request", "field added", BREAKING)),
        (_parameter_gone, ("GET /accounts/shifts", "request", "field removed", BREAKING)),
        (_signature_gone, ("webhook refund.created", "request", "field removed", BREAKING)),
        (_other_media, ("webhook refund.created", "request", "field added", HARMLESS)),
    ],
)
def test_weighs_changes_of_whole_operations(
    change: Callable[[Node], None], expected: tuple[str, str, str, Severity]
) -> None:
    """Asiento names the operation and the message that changed, and weighs the change by who writes it."""
    assert _only(_changed(change)) == expected


def test_looks_into_headers_of_answers() -> None:
    """Asiento compares the headers of answers as it does their bodies."""
    changes = _changed(_header_new)
    assert {change.path for change in changes} == {"header x-seen"}
    assert {change.severity for change in changes} == {BREAKING}  # we write them: an answer to a webhook


def test_calls_a_renamed_path_parameter_the_same() -> None:
    """Asiento knows a part of an address by its place: its name is nothing on the wire."""
    before, after = deepcopy(DOCUMENT), deepcopy(DOCUMENT)
    path = after["paths"].pop("/accounts/shifts/{shiftId}")
    path["get"]["parameters"][0]["name"] = "id"
    after["paths"]["/accounts/shifts/{id}"] = path
    assert compare(contract(before), contract(after)) == ()


def test_puts_money_first() -> None:
    """Asiento shows what matters most first, and money before the rest of it."""
    after = deepcopy(DOCUMENT)
    _add_webhook(after)
    _other_server(after)
    after["components"]["schemas"]["ItemAmount"]["x-money"]["scale"] = 100
    changes = compare(WHOLE, contract(after))
    order = [(change.severity, change.is_money) for change in changes]
    assert order == sorted(order, reverse=True)
    assert changes[0].kind is ChangeKind.MONEY_SCALE
    assert {change.part for change in changes if change.is_money and change.severity is BREAKING} == {"ItemAmount"}


def test_shares_what_it_has_read(pinned_contract: Contract) -> None:
    """Asiento reads a part that many messages share once."""
    created, moved = (pinned_contract.event_shape(event) for event in ("ticket.created", "ticket.moved"))
    assert created is not None
    assert moved is not None
    assert created.properties["data"].properties is moved.properties["data"].properties
