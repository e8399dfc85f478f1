"""The pinned snapshot is a valid document, says what the reader relies on, and is read whole or not at all."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from shared.contracts.shape import Shape
from shared.contracts.snapshot import Contract, contract, load, parse, pinned, pinned_providers
from shared.domain.errors import NotFoundError, TerminalError
from shared.providers.betterez import capabilities, payloads


def test_is_a_valid_document(document: dict[str, Any]) -> None:
    """Asiento pins documents that other tools can read: valid OpenAPI 3.1."""
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_is_found_by_its_provider() -> None:
    """Asiento finds a pinned contract by the provider's name, and says which there are when asked for another."""
    assert pinned("betterez").version
    assert pinned_providers() == ("betterez",)
    with pytest.raises(NotFoundError, match="betterez"):
        pinned("../betterez")


def test_knows_every_event_that_is_read(pinned_contract: Contract) -> None:
    """Asiento's contract describes every event type that its reader understands."""
    assert [
        event for event in capabilities.CAPABILITIES.event_types if pinned_contract.event_shape(event) is None
    ] == []


def test_knows_every_call_that_is_made(pinned_contract: Contract) -> None:
    """Asiento's contract describes every address that its client asks."""
    client = (Path(capabilities.__file__).parent / "client.py").read_text(encoding="utf-8")
    asked = set(re.findall(r'"(/(?:accounts|operations)/[\w/-]+)"', client))
    known = {name.partition(" ")[2] for name in pinned_contract.operations if not name.startswith("webhook")}
    lists_only_by_id = {"/operations/transactions", "/operations/tickets"}
    assert asked
    assert asked - known == lists_only_by_id
    assert {f"{path}/{{}}" for path in asked if not path.startswith("/accounts/u")} - known <= {
        "/accounts/refresh-token/{}"
    }


MODELS: dict[str, type[BaseModel]] = {
    "TransactionContent": payloads.TransactionContent,
    "Transaction": payloads.Transaction,
    "Payment": payloads.Payment,
    "Ticket": payloads.Ticket,
    "Tax": payloads.Tax,
    "Fee": payloads.Fee,
    "Redemption": payloads.Redemption,
    "Refund": payloads.Refund,
    "PaidBack": payloads.PaidBack,
    "ManifestStatus": payloads.ManifestStatus,
    "Manifest": payloads.Manifest,
    "Shift": payloads.Shift,
    "Location": payloads.Location,
    "ShiftList": payloads.ShiftList,
    "TransactionList": payloads.TransactionList,
    "ManifestList": payloads.ManifestList,
    "UndeliveredList": payloads.UndeliveredList,
    "Undelivered": payloads.UndeliveredEntry,
    "SalesSummary": payloads.SalesSummary,
    "SummaryLine": payloads.SummaryLine,
    "TicketEvent": payloads.Envelope,
}
READ_LESS: dict[type[BaseModel], type[BaseModel]] = {
    payloads.BareManifest: payloads.Manifest,
    payloads.BareManifestList: payloads.ManifestList,
}
"""Models of the reader that read less of what another one reads, which is compared."""


def test_compares_every_model_of_the_reader() -> None:
    """Asiento leaves no model of the reader out of the comparison below."""
    declared = {
        model
        for model in vars(payloads).values()
        if isinstance(model, type) and issubclass(model, payloads._Part) and model is not payloads._Part
    }
    assert declared - READ_LESS.keys() == set(MODELS.values())
    assert len(declared) == len(MODELS) + len(READ_LESS)
    assert all(less.model_fields.keys() <= whole.model_fields.keys() for less, whole in READ_LESS.items())


@pytest.mark.parametrize("name", MODELS)
def test_describes_every_field_that_is_read(document: dict[str, Any], name: str) -> None:
    """Asiento reads no field that its contract does not describe, and needs none that the contract leaves optional."""
    schema, model = document["components"]["schemas"][name], MODELS[name]
    fields = {field.alias or key: field for key, field in model.model_fields.items()}
    assert fields.keys() - schema["properties"].keys() == set()
    assert {key for key, field in fields.items() if field.is_required()} <= set(schema.get("required", ()))


@pytest.mark.parametrize("name", MODELS)
def test_declares_every_amount_that_is_read_as_money(document: dict[str, Any], name: str) -> None:
    """Asiento's contract says of every amount that is read how it is written: unit, scale, sign and currency."""
    properties = _shapes_of(document, name)
    amounts = {
        field.alias or key
        for key, field in MODELS[name].model_fields.items()
        if _mentions_decimal(field.annotation) and field.annotation is not None
    }
    assert {amount for amount in amounts if properties[amount].money is None} == set()


def _shapes_of(document: dict[str, Any], name: str) -> Any:
    changed = deepcopy(document)
    changed["webhooks"] = {"asked": {"post": {"requestBody": _body(name), "responses": {}}}}
    shape = contract(changed).event_shape("asked")
    assert shape is not None
    return shape.properties


def _body(name: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _mentions_decimal(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_mentions_decimal(part) for part in get_args(annotation))
    inner = get_args(annotation)[0] if get_origin(annotation) is not None and get_args(annotation) else annotation
    return getattr(inner, "__name__", "") == "Decimal"


@pytest.mark.parametrize(
    ("schema", "field", "table"),
    [
        ("Transaction", "type", payloads.SALE_TYPES),
        ("Transaction", "status", payloads.SALE_STATUSES),
        ("Ticket", "status", payloads.TICKET_STATUSES),
        ("Payment", "status", payloads.PAYMENT_STATUSES),
        ("Refund", "status", payloads.REFUND_STATUSES),
        ("ManifestStatus", "status", payloads.MANIFEST_STATUSES),
        ("Manifest", "status", payloads.MANIFEST_STATUSES),
    ],
)
def test_closes_the_words_that_are_understood(
    document: dict[str, Any], schema: str, field: str, table: dict[str, str]
) -> None:
    """Asiento's contract names exactly the words that the reader knows: a new one is seen before it is held."""
    assert set(document["components"]["schemas"][schema]["properties"][field]["enum"]) == set(table)


def test_says_how_certain_every_field_is(document: dict[str, Any]) -> None:
    """Asiento's contract says of every field whether it is documented or assumed."""
    unsaid = {
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, declared in schema.get("properties", {}).items()
        if "x-certainty" not in declared
    }
    assert unsaid == set()


def test_uses_every_part_that_it_has(document: dict[str, Any]) -> None:
    """Asiento's contract holds nothing that no call and no webhook reaches: a comparison would not look there."""
    text = str(document)
    components = document["components"]
    parts = {f"#/components/{kind}/{name}" for kind in components for name in components[kind]}
    unused = {part for part in parts if f"'{part}'" not in text}
    assert unused == {f"#/components/securitySchemes/{name}" for name in components["securitySchemes"]}


def _numbers(shape: Shape, path: str = "") -> Iterator[tuple[str, Shape]]:
    if shape.types & {"integer", "number"} and "string" not in shape.types:
        yield path, shape
    for name, child in shape.properties.items():
        yield from _numbers(child, f"{path}.{name}")
    for name, child in shape.alternatives.items():
        yield from _numbers(child, f"{path}({name})")
    if shape.items:
        yield from _numbers(shape.items, f"{path}[]")


def test_leaves_no_number_undeclared(pinned_contract: Contract) -> None:
    """Asiento's contract knows of every number whether it is money; those that are not are counts and instants."""
    counts = {"created", "offset", "percentage", "variance", "partialDepositOrder", "capacity"}
    undeclared = {
        path.rpartition(".")[2]
        for operation in pinned_contract.operations.values()
        for message in operation.messages.values()
        for path, shape in _numbers(message.shape)
        if shape.money is None
    }
    assert undeclared == counts


# Read whole or not at all


def _with(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    changed = deepcopy(document)
    changed["components"]["schemas"]["Ticket"]["properties"]["seat"] = schema
    return changed


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"allOf": [{"type": "string"}]}, "allOf"),
        ({"type": "string", "nullable": True}, "nullable"),
        ({"type": "text"}, "no JSON type"),
        ({"enum": ["1A"], "const": "1A"}, "const and enum"),
        ({"$ref": "#/components/schemas/Seat"}, "not there"),
        ({"$ref": "other.yaml#/Seat"}, "outside its document"),
        ({"$ref": "#/components/schemas/Ticket"}, "holds itself"),
        ({"$ref": "#/components/schemas/Id", "minLength": 3}, "minLength"),
        ({"anyOf": [{"title": "one"}, {"title": "one"}]}, "alike"),
        ({"type": "integer", "x-certainty": "likely"}, "likely"),
        ({"type": "integer", "x-money": {"scale": 100}}, "exactly"),
        ({"x-money": {"unit": "pesos", "scale": 1, "sign": "signed", "currency-from": ""}}, "unit"),
        ({"x-money": {"unit": "currency", "scale": 0, "sign": "signed", "currency-from": ""}}, "scale"),
        ("string", "no schema"),
    ],
)
def test_refuses_what_it_does_not_understand(document: dict[str, Any], schema: Any, complaint: str) -> None:
    """Asiento refuses a snapshot with a word that it does not understand: passing over it would hide a change."""
    with pytest.raises(TerminalError, match=complaint):
        contract(_with(document, schema))


def test_refuses_a_version_without_webhooks(document: dict[str, Any]) -> None:
    """Asiento refuses OpenAPI 3.0, in which webhooks have no place."""
    with pytest.raises(TerminalError, match=r"3\.1"):
        contract({**document, "openapi": "3.0.3"})


def test_refuses_a_webhook_that_is_not_posted(document: dict[str, Any]) -> None:
    """Asiento refuses a webhook of another method than post: its door takes no other."""
    with pytest.raises(TerminalError, match="post"):
        contract({**document, "webhooks": {"ticket.created": {"put": {"responses": {}}}}})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("openapi: 3.1.0\npaths: {}\npaths: {}\n", "twice"),
        ("openapi: [", "YAML"),
        ("- openapi", "no keys"),
    ],
)
def test_refuses_a_text_that_says_two_things(tmp_path: Path, text: str, complaint: str) -> None:
    """Asiento refuses a snapshot that is no document or gives one key twice, and names the file."""
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(TerminalError, match=complaint):
        parse(text)
    with pytest.raises(TerminalError, match="broken"):
        load(path)


def test_names_the_snapshot_that_is_not_there(tmp_path: Path) -> None:
    """Asiento says which snapshot it did not find."""
    with pytest.raises(NotFoundError, match=r"gone\.yaml"):
        load(tmp_path / "gone.yaml")


def test_tells_nameless_alternatives_apart_by_their_place(document: dict[str, Any]) -> None:
    """Asiento names an alternative that has no name by its place among the others."""
    changed = _with(document, {"anyOf": [{"type": "string"}, {"type": "integer"}]})
    assert set(_shapes_of(changed, "Ticket")["seat"].alternatives) == {"form 1", "form 2"}
