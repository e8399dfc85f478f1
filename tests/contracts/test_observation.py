"""What the simulator posts and answers conforms to the contract; what departs from it is seen, named, and shows nobody."""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from local.simulator import Access, Api, ApiServer, Chaos, Plan, Season
from local.simulator.moments import day_of
from shared.contracts import observation
from shared.contracts.observation import Departure, DepartureKind, Observations, departures
from shared.contracts.shape import Shape
from shared.contracts.snapshot import Contract
from shared.providers.toolkit.json_body import parse_object

K = DepartureKind
Body = dict[str, Any]


@pytest.fixture(scope="session")
def bodies(season: Season) -> dict[str, list[Body]]:
    """Return what the ticketing platform posts in a season, by event type."""
    by_event: dict[str, list[Body]] = {}
    for emission in season.emissions():
        if emission.provider == "betterez":
            by_event.setdefault(emission.event_type, []).append(parse_object(emission.body))
    return by_event


def test_the_simulator_follows_the_contract(bodies: dict[str, list[Body]], pinned_contract: Contract) -> None:
    """Asiento's simulator posts nothing that the pinned contract does not describe, in any event of a season."""
    found = {departure for posted in bodies.values() for body in posted for departure in _of(pinned_contract, body)}
    assert found == set()
    assert len(bodies) >= 10


def _of(contract: Contract, body: Body) -> list[Departure]:
    return observation.of_webhook(contract, body)[1]


def test_the_simulated_api_follows_the_contract(season: Season, pinned_contract: Contract) -> None:
    """Asiento's simulated API answers every call of the contract as the contract says."""
    company, access = season.company, Access()
    shift = next(sale.counter.shift for sale in company.sales.values() if sale.counter.shift)
    trip = next(iter(company.tickets.values())).trip
    first, last = day_of(shift.opened_at_ms), day_of(trip.day_start_ms)
    targets = (
        f"GET /accounts/shifts?fromDate={first}&toDate={first}&includeActivity=false",
        f"GET /accounts/shifts/{shift.id}",
        f"GET /accounts/shifts/{shift.id}/transactions",
        f"GET /accounts/shifts/{shift.id}/sales-summary",
        f"GET /operations/transactions/{next(iter(company.sales))}",
        f"GET /operations/tickets/{next(iter(company.tickets))}",
        f"GET /operations/manifests?dateFrom={last}&dateTo={last}",
        f"GET /operations/manifests/{trip.manifest_id}",
        "GET /webhooks/undelivered",
    )
    undelivered = Plan(season, Chaos(seed=1, loss_share=0.05)).undelivered()
    headers, asked = {"X-API-KEY": access.api_key}, set()
    with ApiServer(Api(company, undelivered=undelivered)) as server, httpx.Client(headers=headers) as client:
        base = f"http://127.0.0.1:{server.port}/betterez"
        login = client.post(
            f"{base}/accounts/users", json={"audience": "betterez-app"}, auth=(access.user, access.password)
        )
        session = parse_object(login.content)
        renewed = client.post(f"{base}/accounts/refresh-token", json={"refreshToken": session["refreshToken"]})
        for operation, answer in (("POST /accounts/users", login), ("POST /accounts/refresh-token", renewed)):
            asked.add(_conforming(pinned_contract, operation, answer))
        client.headers["Authorization"] = f"Bearer {parse_object(renewed.content)['shortToken']}"
        for target in targets:
            answer = client.get(base + target.removeprefix("GET "))
            asked.add(_conforming(pinned_contract, target, answer))
        entry = f"GET /webhooks/undelivered/{parse_object(answer.content)['undelivered'][0]['_id']}"
        asked.add(_conforming(pinned_contract, entry, client.get(base + entry.removeprefix("GET "))))
    assert asked == {name for name in pinned_contract.operations if not name.startswith("webhook")}


def _conforming(contract: Contract, target: str, answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    operation, found = observation.of_answer(contract, target, parse_object(answer.content))
    assert found == [], target
    return operation


# One deliberately changed payload of every kind


def _sell(body: Body) -> None:
    body["event"] = "ticket.burnt"


def _surcharge(body: Body) -> None:
    body["data"]["surcharge"] = 5


def _no_id(body: Body) -> None:
    del body["data"]["_id"]


def _decimal_total(body: Body) -> None:
    body["data"]["total"] = parse_object(b'{"total": 134079.1}')["total"]


def _negative_total(body: Body) -> None:
    body["data"]["total"] = -1


def _no_instant(body: Body) -> None:
    body["data"]["updatedAt"]["value"] = "yesterday"


def _new_status(body: Body) -> None:
    body["data"]["status"] = "upgraded"


CHANGED: dict[DepartureKind, tuple[Callable[[Body], None], str, str, bool]] = {
    K.UNKNOWN_EVENT: (_sell, "", "another", False),
    K.UNKNOWN_FIELD: (_surcharge, "data.surcharge", "integer", False),
    K.MISSING_FIELD: (_no_id, "data._id", "absent", False),
    K.CHANGED_TYPE: (_decimal_total, "data.total", "number", True),
    K.CHANGED_SIGN: (_negative_total, "data.total", "negative", True),
    K.CHANGED_FORM: (_no_instant, "data.updatedAt.value", "another string", False),
    K.NEW_VALUE: (_new_status, "data.status", '"upgraded"', False),
}


@pytest.mark.parametrize("kind", CHANGED, ids=lambda kind: kind.name.lower())
def test_sees_one_changed_payload(
    bodies: dict[str, list[Body]], pinned_contract: Contract, kind: DepartureKind
) -> None:
    """Asiento sees a payload that departs from its contract, and names the field, what was expected and what came."""
    change, path, seen, is_money = CHANGED[kind]
    body = deepcopy(bodies["ticket.created"][0])
    change(body)
    (departure,) = _of(pinned_contract, body)
    assert (departure.kind, departure.path, departure.seen, departure.is_money) == (kind, path, seen, is_money)
    assert departure.expected


def test_tries_every_kind_of_departure() -> None:
    """Asiento's tests change a payload in every way that a departure can be; a body that is no JSON is tried apart."""
    assert set(CHANGED) == set(DepartureKind) - {K.UNREADABLE}


@pytest.mark.parametrize("event", ["transaction.completed", "refund.created", "manifestStatus.updated", "shift.closed"])
def test_sees_a_change_in_every_kind_of_event(
    bodies: dict[str, list[Body]], pinned_contract: Contract, event: str
) -> None:
    """Asiento looks into the payload of every kind of event, and into the parts of parts."""
    body = deepcopy(bodies[event][0])
    deepest = body["data"].get("transaction", body["data"])
    deepest["addedLater"] = None
    paths = [departure.path for departure in _of(pinned_contract, body)]
    assert paths == ["data.transaction.addedLater" if deepest is not body["data"] else "data.addedLater"]


def test_reads_a_moved_transaction_as_the_thin_one(pinned_contract: Contract, bodies: dict[str, list[Body]]) -> None:
    """Asiento knows both forms of a transaction's event, and says of which one a payload falls short."""
    body = deepcopy(bodies["transaction.completed"][0])
    body["data"] = {"_id": "65f0c2a1b3d4e5f60718293a"}
    assert _of(pinned_contract, body) == []
    body["data"] = {"_id": 7}
    assert [(each.kind, each.path) for each in _of(pinned_contract, body)] == [(K.CHANGED_TYPE, "data._id")]


def test_many_wrong_amounts_do_not_hide_each_other(pinned_contract: Contract, bodies: dict[str, list[Body]]) -> None:
    """Asiento takes a sale for a sale however many of its amounts are written otherwise, and names the amounts."""
    body = deepcopy(bodies["transaction.completed"][0])
    ticket = body["data"]["tickets"][0]
    body["data"]["tickets"] = [{**ticket, "total": str(ticket["total"])} for _ in range(40)]
    found = set(_of(pinned_contract, body))
    assert {(each.kind, each.path, each.is_money) for each in found} == {(K.CHANGED_TYPE, "data.tickets[].total", True)}


def test_takes_a_known_word_in_any_case(pinned_contract: Contract, bodies: dict[str, list[Body]]) -> None:
    """Asiento takes the platform's words in any case, as its reader does, where the contract says so."""
    body = deepcopy(bodies["ticket.created"][0])
    body["data"]["status"] = "PAID"
    assert _of(pinned_contract, body) == []


# Nobody is shown


def test_shows_no_value_of_a_person(pinned_contract: Contract, bodies: dict[str, list[Body]]) -> None:
    """Asiento shows neither what a field about a person holds, nor a key that is an address or an identity."""
    body = deepcopy(bodies["ticket.created"][0])
    secrets = ("Maria Gonzalez", "maria@correo.example", "4111111111111111", "65f0c2a1b3d4e5f60718293a", "María")
    body["data"]["firstName"] = {"full": secrets[0]}
    body["data"]["status"] = secrets[1]
    for key in secrets[1:]:
        body["data"][key] = secrets[0]
    body["data"]["dynamicFormFields"] = {secrets[0]: secrets[2]}
    found = _of(pinned_contract, body)
    shown = " ".join(f"{each.path} {each.seen} {each.expected}" for each in found)
    assert {secret for secret in secrets if secret in shown} == set()
    assert {each.path for each in found} == {"data.firstName", "data.status", "data.<name>", "data.<id>"}
    assert observation.shown_event_type("ticket.maria@correo.example") == "ticket.<name>.example"
    assert observation.shown_event_type(7) == "<none>"


def test_shows_no_new_word_about_a_person() -> None:
    """Asiento shows a new word of an enumeration only where the contract does not call it personal."""
    shape = Shape(enum=frozenset({'"adult"'}), is_personal=True)
    (departure,) = departures(shape, "pregnant")
    assert departure.seen == "another string"


# An independent judge


_BREAKS: tuple[Callable[[Body, str], None], ...] = (
    lambda part, key: part.pop(key),
    lambda part, key: part.update({key: None}),
    lambda part, key: part.update({key: "another"}),
    lambda part, key: part.update({key: -(10**13)}),
    lambda part, key: part.update({key: [part[key]]}),
    lambda part, key: part.update({key: {}}),
    lambda part, key: part.update({key: True}),
    lambda part, key: part.update({f"{key}Too": part[key]}),
)
_NOT_SCHEMA = (K.UNKNOWN_FIELD, K.CHANGED_SIGN)
"""What the contract's own words say beyond JSON Schema: there, undeclared fields and negative amounts are valid."""


def test_agrees_with_an_independent_validator(
    bodies: dict[str, list[Body]], pinned_contract: Contract, document: dict[str, Any]
) -> None:
    """Asiento calls a payload conforming exactly where an independent JSON Schema validator does."""
    seed = 11
    rng = random.Random(seed)  # noqa: S311  a seeded search, no secret
    verdicts = {True: 0, False: 0}
    for event, posted in bodies.items():
        validator = _validator(document, event)
        for _ in range(40):
            body = deepcopy(rng.choice(posted))
            part = _some_part(rng, body)
            rng.choice(_BREAKS)(part, rng.choice(sorted(part)))
            if body.get("event") != event:
                continue  # then it is another event, or none
            ours = not [each for each in _of(pinned_contract, body) if each.kind not in _NOT_SCHEMA]
            theirs = validator.is_valid(body)
            assert ours is theirs, f"seed {seed}: {json.dumps(body, default=str)}"
            verdicts[ours] += 1
    assert min(verdicts.values()) > 50, verdicts


def _validator(document: dict[str, Any], event: str) -> OAS31Validator:
    item = document["webhooks"][event]["$ref"].rpartition("/")[2]
    schema = {"$ref": f"#/components/schemas/{item}", "components": document["components"]}
    return OAS31Validator(schema, format_checker=oas31_format_checker)


def _some_part(rng: random.Random, body: Body) -> Body:
    parts: list[Body] = []

    def gather(value: Any) -> None:
        if isinstance(value, dict) and value:
            parts.append(value)
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            gather(child)

    gather(body)
    return rng.choice(parts)


@pytest.mark.parametrize(
    ("limits", "kept", "broken"),
    [
        ({"minLength": 2}, "ab", "a"),
        ({"maxLength": 2}, "ab", "abc"),
        ({"pattern": "^a"}, "ab", "ba"),
        ({"format": "date"}, "2026-11-20", "20/11/2026"),
        ({"format": "date-time"}, "2026-11-20T08:00:00.5Z", "2026-11-20T08:00:00"),
        ({"format": "date-time"}, "2026-11-20t08:00:00-03:00", "2026-13-20T08:00:00Z"),
        ({"format": "uuid"}, "0e8bf630-51cb-4738-927c-e0ff4cb7eb55", "0e8bf630"),
        ({"minItems": 1}, [1], []),
        ({"maxItems": 1}, [1], [1, 2]),
        ({"minimum": 2}, 2, 1),
        ({"maximum": 2}, 2, 3),
        ({"exclusiveMinimum": 2}, 3, 2),
        ({"exclusiveMaximum": 2}, 1, 2),
    ],
)
def test_holds_values_to_their_limits(limits: dict[str, Any], kept: object, broken: object) -> None:
    """Asiento sees a value that breaks a limit of its contract, and leaves in peace one that keeps it."""
    shape = Shape(limits=limits)
    assert list(departures(shape, kept)) == []
    assert [departure.kind for departure in departures(shape, broken)] == [K.CHANGED_FORM]


def test_a_format_without_a_rule_is_a_remark() -> None:
    """Asiento holds no text to a format that it has no rule for."""
    assert list(departures(Shape(limits={"format": "colour"}), "anything")) == []


def test_looks_into_open_maps() -> None:
    """Asiento holds the entries of a declared map to their schema, and shows none of their keys."""
    shape = Shape(types=frozenset({"object"}), others=Shape(types=frozenset({"integer"})))
    (departure,) = departures(shape, {"maria": "x"})
    assert (departure.kind, departure.path) == (K.CHANGED_TYPE, "*")


# Counting


def test_counts_by_event_type_and_field() -> None:
    """Asiento counts a departure once for each delivery, by event type and field, and says where to look at one."""
    seat = Departure(K.UNKNOWN_FIELD, "data.seatMap", "no such field", "object")
    total = Departure(K.CHANGED_TYPE, "data.total", "integer", "number", is_money=True)
    counted = Observations()
    counted.add("ticket.created", [seat, seat, total], "d1")
    counted.add("ticket.created", [seat], "d2")
    counted.add("ticket.updated", [seat], "d3")
    counted.add("ticket.updated", [], "d4")

    assert [(line.event_type, line.departure, line.count, line.first_delivery_id) for line in counted.seen()] == [
        ("ticket.created", seat, 2, "d1"),
        ("ticket.created", total, 1, "d1"),
        ("ticket.updated", seat, 1, "d3"),
    ]
    assert counted.deliveries == {"ticket.created": 2, "ticket.updated": 2}
    assert counted.departing == {"ticket.created": 2, "ticket.updated": 1}


def test_names_a_call_that_the_contract_does_not_know(pinned_contract: Contract) -> None:
    """Asiento says of an answer to a call outside the contract that it is one."""
    operation, found = observation.of_answer(pinned_contract, "GET /operations/seats/1", {})
    assert operation == "another call"
    assert [each.kind for each in found] == [K.UNKNOWN_EVENT]
