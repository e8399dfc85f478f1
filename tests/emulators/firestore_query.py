"""How the Firestore emulator runs a structured query: filters, orders, cursors, limit, and the index that it needs."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
from google.cloud.firestore_v1 import types

from tests.emulators.firestore_data import Data, collections_under
from tests.emulators.grpc_server import RpcRefused

_Operator = types.StructuredQuery.FieldFilter.Operator
_NAME = "__name__"
_COMPARE: dict[int, Callable[[Any, Any], bool]] = {
    _Operator.EQUAL: lambda value, wanted: bool(value == wanted),
    _Operator.IN: lambda value, wanted: value in wanted,
    _Operator.LESS_THAN: lambda value, wanted: bool(value < wanted),
    _Operator.LESS_THAN_OR_EQUAL: lambda value, wanted: bool(value <= wanted),
    _Operator.GREATER_THAN: lambda value, wanted: bool(value > wanted),
    _Operator.GREATER_THAN_OR_EQUAL: lambda value, wanted: bool(value >= wanted),
}
_EQUALITIES = (_Operator.EQUAL, _Operator.IN)


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes that are declared: composite ones, and fields that are exempt from having one."""

    composite: frozenset[tuple[str, tuple[str, ...]]]
    exempt: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, path: Path) -> "Indexes":
        """Read a declaration in the form of the Firestore tools."""
        declared = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            frozenset(
                (each["collectionGroup"], tuple(field["fieldPath"] for field in each["fields"]))
                for each in declared["indexes"]
            ),
            frozenset(
                (each["collectionGroup"], each["fieldPath"])
                for each in declared["fieldOverrides"]
                if not each["indexes"]
            ),
        )

    def check(self, collection_id: str, equal: Sequence[str], ordered: Sequence[str]) -> None:
        """Refuse a query that no declared index serves, as the service does."""
        if not ordered or (not equal and len(ordered) == 1):
            for name in (*equal, *ordered):
                if (collection_id, name) in self.exempt:
                    raise RpcRefused(
                        grpc.StatusCode.FAILED_PRECONDITION, f"the query requires an index on {collection_id}.{name}"
                    )
            return
        for group, fields in self.composite:
            head, tail = fields[: len(equal)], fields[len(equal) :]
            if group == collection_id and set(head) == set(equal) and tail == tuple(ordered):
                return
        raise RpcRefused(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the query requires an index on {collection_id} ({', '.join((*equal, *ordered))})",
        )


def run(data: Data, indexes: Indexes, parent: str, query: Any, version: int) -> Iterator[Any]:
    """Yield the documents that a query finds under a parent as of a version, in the query's order."""
    selector = query.from_[0]
    conditions = list(_conditions(query.where)) if query.HasField("where") else []
    orders = _orders(query, conditions)
    equal = sorted({name for name, operator, _ in conditions if operator in _EQUALITIES})
    indexes.check(selector.collection_id, equal, [name for name in orders if name != _NAME])
    found = _scan(data, parent, selector, query, version, by_name=orders == [_NAME])
    matching: Iterator[Any] = (document for document in found if _matches(document, conditions, orders))
    if orders != [_NAME]:
        matching = iter(sorted(matching, key=lambda document: _place(document, orders)))
    within = _between_cursors(matching, query, orders)
    limited = islice(within, query.limit.value if query.HasField("limit") else None)
    return (_projected(document, query) for document in limited)


def _scan(data: Data, parent: str, selector: Any, query: Any, version: int, *, by_name: bool) -> Iterator[Any]:
    """Yield documents by name; where that is the order, start at the cursor instead of at the beginning."""
    if selector.all_descendants:
        for name in collections_under(data, parent, selector.collection_id):
            yield from data.collection(name, version)
        return
    first = b""
    if by_name and query.HasField("start_at"):
        first = query.start_at.values[0].reference_value.rpartition("/")[2].encode()
    yield from data.collection(f"{parent}/{selector.collection_id}", version, first)


def _conditions(where: Any) -> Iterator[tuple[str, int, Any]]:
    if where.HasField("field_filter"):
        one = where.field_filter
        if one.op not in _COMPARE:
            raise RpcRefused(grpc.StatusCode.UNIMPLEMENTED, f"this emulator does not know operator {one.op}")
        yield one.field.field_path, one.op, plain(one.value)
    elif where.composite_filter.op == types.StructuredQuery.CompositeFilter.Operator.AND:
        for each in where.composite_filter.filters:
            yield from _conditions(each)
    else:
        raise RpcRefused(grpc.StatusCode.UNIMPLEMENTED, "this emulator knows filters joined by AND only")


def _orders(query: Any, conditions: Sequence[tuple[str, int, Any]]) -> list[str]:
    """Return the fields of the order, with the name last, as the service adds it."""
    orders = [each.field.field_path for each in query.order_by]
    ranged = [name for name, operator, _ in conditions if operator not in _EQUALITIES]
    orders += [name for name in dict.fromkeys(ranged) if name not in orders]
    return orders if _NAME in orders else [*orders, _NAME]


def _matches(document: Any, conditions: Sequence[tuple[str, int, Any]], orders: Sequence[str]) -> bool:
    if any(name != _NAME and name not in document.fields for name in orders):
        return False
    return all(
        name in document.fields and _COMPARE[operator](plain(document.fields[name]), wanted)
        for name, operator, wanted in conditions
    )


def _place(document: Any, orders: Sequence[str]) -> tuple[Any, ...]:
    return tuple(document.name.encode() if name == _NAME else plain(document.fields[name]) for name in orders)


def _between_cursors(documents: Iterator[Any], query: Any, orders: Sequence[str]) -> Iterator[Any]:
    start = _bound(query.start_at) if query.HasField("start_at") else None
    end = _bound(query.end_at) if query.HasField("end_at") else None
    for document in documents:
        place = _place(document, orders)
        if start is not None and (place < start or (place[: len(start)] == start and not query.start_at.before)):
            continue
        if end is not None and place[: len(end)] >= end and (place[: len(end)] > end or query.end_at.before):
            return
        yield document


def _bound(cursor: Any) -> tuple[Any, ...]:
    return tuple(value.reference_value.encode() if value.reference_value else plain(value) for value in cursor.values)


def _projected(document: Any, query: Any) -> Any:
    if not query.HasField("select"):
        return document
    wanted = {each.field_path for each in query.select.fields}
    part = types.Document.pb()(name=document.name, create_time=document.create_time, update_time=document.update_time)
    for name in wanted & set(document.fields):
        part.fields[name].CopyFrom(document.fields[name])
    return part


def plain(value: Any) -> Any:
    """Return a value of the protocol as a plain one that compares."""
    kind = value.WhichOneof("value_type")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind)
