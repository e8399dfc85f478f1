"""Firestore as Asiento uses it: flat documents by path, transactions that read first, and queries in key order.

This stands on the library's own google.firestore.v1 client and not on its transaction helper: that one retries ABORTED
only, without a pause, and rolls back what never began (googleapis/python-firestore #879). Here a commit whose answer was
lost is tried again from fresh reads, so the caller's work must decide from what it reads, as `LedgerStore.transact` says.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import grpc
from google.api_core.exceptions import Aborted, GoogleAPICallError, InvalidArgument, RetryError
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.protobuf.wrappers_pb2 import Int32Value

from shared.adapters.google.calls import PASSING, Patience, google_errors, meaning_of
from shared.domain.errors import TerminalError, TransientError

Fields: TypeAlias = Mapping[str, str | int | bool]
"""What a document holds: a JSON text that is not indexed, and beside it the few values that queries filter on."""

REQUEST_BYTES_MAX = 10 * 1024 * 1024
"""Firestore takes no larger request, hence no larger transaction. It has no limit on the number of writes."""
DOCUMENT_BYTES_MAX = 1024 * 1024
KEY_BYTES_MAX = 1500

_ROLE = "roles/datastore.user on the database"
_NAME = "__name__"
_READS_PER_CALL = 500
_PAGE_SIZE = 300
_OVERHEAD_BYTES = 256
_EXPIRED = "no longer valid"
_ESCAPES = {".": ".-", "/": ".0"}
_UNESCAPES = {escaped: plain for plain, escaped in _ESCAPES.items()}

_Operator = types.StructuredQuery.FieldFilter.Operator
EQUAL, IN, AT_LEAST, BELOW, AT_MOST = (
    _Operator.EQUAL,
    _Operator.IN,
    _Operator.GREATER_THAN_OR_EQUAL,
    _Operator.LESS_THAN,
    _Operator.LESS_THAN_OR_EQUAL,
)

_T = TypeVar("_T")


def document_id(key: str) -> str:
    """Return the document id of a key: a slash cannot stand in one, and ids sort as their keys do.

    '.' becomes '.-' and '/' becomes '.0': both begin with '.', which sorts right before '/', so no order changes.
    """
    escaped = re.sub(r"[./]", lambda found: _ESCAPES[found[0]], key)
    if not escaped or len(escaped.encode()) > KEY_BYTES_MAX:
        raise TerminalError(f"key {key[:80]!r} cannot name a document: Firestore takes 1 to {KEY_BYTES_MAX} bytes")
    return escaped


def key_of(path: str) -> str:
    """Return the key of the document at a path: its last part, unescaped."""
    return re.sub(r"\.[-0]", lambda found: _UNESCAPES[found[0]], path.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field of a document."""

    name: str
    operator: int
    value: str | int | bool | Sequence[str]


@dataclass(frozen=True, slots=True)
class Query:
    """Documents of one collection, in order of their ids unless `order_by` names a field; ids within [first, beyond)."""

    collection: str
    filters: tuple[Filter, ...] = ()
    order_by: str = _NAME
    limit: int = 0
    first: str = ""
    beyond: str = ""
    after: str = ""
    ids_only: bool = False


@dataclass(slots=True)
class Transaction:
    """One try of a transaction: what it has read, and what it will write if all goes well."""

    documents: "Documents"
    retries: bytes
    """The transaction that this one tries again: the service keeps its place in the line."""
    transaction_id: bytes = b""
    is_over: bool = False
    writes: dict[str, Fields | None] = field(default_factory=dict)

    def get(self, paths: Sequence[str]) -> dict[str, Fields]:
        """Read documents, by path; those that do not exist are absent. Every read comes before the commit's writes."""
        options: dict[str, Any] = {"transaction": self.transaction_id}
        if not self.transaction_id:
            options = {"new_transaction": {"read_write": {"retry_transaction": self.retries}}}
        found: dict[str, Fields] = {}
        for start in range(0, len(paths), _READS_PER_CALL):
            some, transaction_id = self.documents.fetch(paths[start : start + _READS_PER_CALL], options)
            found.update(some)
            self.transaction_id = self.transaction_id or transaction_id
            options = {"transaction": self.transaction_id}
        return found

    def set(self, path: str, fields: Fields) -> None:
        """Write a whole document."""
        self.writes[path] = fields

    def delete(self, path: str) -> None:
        """Delete a document; deleting what is not there is harmless."""
        self.writes[path] = None


class Documents:
    """One Firestore database, `projects/…/databases/…`."""

    def __init__(self, client: FirestoreClient, database: str, patience: Patience | None = None) -> None:
        """Take the database."""
        self._client = client
        self._database = database
        self._root = f"{database}/documents/"
        self._patience = patience or Patience()
        self._metadata = (("google-cloud-resource-prefix", database),)

    def get(self, paths: Sequence[str]) -> dict[str, Fields]:
        """Read documents outside a transaction, by path; those that do not exist are absent."""
        found: dict[str, Fields] = {}
        with google_errors(f"reading from {self._database}", _ROLE):
            for start in range(0, len(paths), _READS_PER_CALL):
                found.update(self.fetch(paths[start : start + _READS_PER_CALL], {})[0])
        return found

    def in_transaction(self, work: Callable[[Transaction], _T]) -> _T:
        """Run work that reads, then stages writes; commit them all or none, and return what the work returned.

        The work runs again, from fresh reads, whenever the commit was contended or its answer was lost: in the second
        case its writes may be there already. Raises TransientError when that does not end.
        """
        doing = f"a transaction on {self._database}"
        retries = b""
        last: Exception | None = None
        for _ in self._patience.tries():
            transaction = Transaction(self, retries)
            try:
                result = work(transaction)
                self._commit(transaction)
            except Aborted as contended:
                transaction.is_over, retries, last = True, transaction.transaction_id, contended
            except (GoogleAPICallError, RetryError) as error:
                if not _may_pass(error):
                    raise meaning_of(error, doing, _ROLE) from error
                last = error
            else:
                return result
            finally:
                self._release(transaction)
        raise TransientError(f"{doing}: {type(last).__name__} until patience ended; try again later") from last

    def pages(self, query: Query) -> Iterator[tuple[str, Fields]]:
        """Yield path and fields of what a query finds, in order of ids, page by page, all as of the first page's moment.

        Pages of one iteration must be asked for within an hour: so long the service remembers a moment.
        """
        read_time = None
        while True:
            page, read_time = self._run(replace(query, limit=_PAGE_SIZE), read_time)
            yield from page
            if len(page) < _PAGE_SIZE:
                return
            query = replace(query, after=page[-1][0].rpartition("/")[2])

    def all_at_once(self, query: Query) -> list[tuple[str, Fields]]:
        """Return everything that a query finds."""
        return self._run(query, None)[0]

    def count(self, query: Query) -> int:
        """Return how many documents a query finds, counted by the service."""
        request = types.RunAggregationQueryRequest(
            parent=self._root.rstrip("/"),
            structured_aggregation_query={
                "structured_query": self._structured(query),
                "aggregations": [{"alias": "found", "count": {}}],
            },
        )
        with google_errors(f"counting {query.collection}", _ROLE):
            answers = self._patiently(self._client.run_aggregation_query, request)
        return sum(answer.result.aggregate_fields["found"].integer_value for answer in answers)

    def partitions(self, collection: str, parts_max: int) -> list[Query]:
        """Return queries that together find a root collection once, each of about the same size, in order of ids."""
        whole = Query(collection)
        if parts_max < 2:  # noqa: PLR2004  one part has no edges to ask for
            return [whole]
        structured = self._structured(whole)
        structured.from_[0].all_descendants = True
        with google_errors(f"partitioning {collection}", _ROLE):
            cursors = list(
                self._client.partition_query(
                    types.PartitionQueryRequest(
                        parent=self._root.rstrip("/"), structured_query=structured, partition_count=parts_max - 1
                    ),
                    retry=self._patience.retry(),
                    timeout=self._patience.try_s_max,
                    metadata=self._metadata,
                )
            )
        edges = sorted(cursor.values[0].reference_value.rpartition("/")[2] for cursor in cursors)
        bounds = ["", *edges, ""]
        return [replace(whole, first=first, beyond=beyond) for first, beyond in pairwise(bounds)]

    def fetch(self, paths: Sequence[str], options: Mapping[str, Any]) -> tuple[dict[str, Fields], bytes]:
        """Read documents in one call; return them by path, and the transaction that the call began, if it did.

        Raises what the library raises: a transaction must see an ABORTED read as it came.
        """
        request = types.BatchGetDocumentsRequest(
            database=self._database, documents=[self._root + path for path in paths], **options
        )
        answers = self._patiently(self._client.batch_get_documents, request)
        found = {self._path(answer.found.name): _fields(answer.found) for answer in answers if answer.found.name}
        return found, next((answer.transaction for answer in answers if answer.transaction), b"")

    def _patiently(self, call: Callable[..., Iterable[Any]], request: Any) -> list[Any]:
        """Return the whole of a streamed answer; where it breaks off, ask again from its beginning."""

        def ask() -> list[Any]:
            return list(call(request, retry=None, timeout=self._patience.try_s_max, metadata=self._metadata))

        answers: list[Any] = self._patience.retry()(ask)()
        return answers

    def _commit(self, transaction: Transaction) -> None:
        if not transaction.writes:
            return
        request = types.CommitRequest(
            database=self._database,
            transaction=transaction.transaction_id,
            writes=[self._write(path, fields) for path, fields in transaction.writes.items()],
        )
        size = types.CommitRequest.pb(request).ByteSize()
        if size > REQUEST_BYTES_MAX:
            raise TerminalError(
                f"a transaction of {len(transaction.writes)} writes has {size} bytes, and Firestore takes "
                f"{REQUEST_BYTES_MAX}; settle fewer deliveries together, or split the file that came as one"
            )
        self._client.commit(request, retry=None, timeout=self._patience.try_s_max, metadata=self._metadata)
        transaction.is_over = True

    def _release(self, transaction: Transaction) -> None:
        """Give back the locks of a try that wrote nothing, or that may not have."""
        if transaction.is_over or not transaction.transaction_id:
            return
        try:
            self._client.rollback(
                database=self._database,
                transaction=transaction.transaction_id,
                retry=None,
                timeout=self._patience.try_s_max,
                metadata=self._metadata,
            )
        except GoogleAPICallError:
            return  # it was committed after all, or the service gives the locks back by itself in a minute

    def _write(self, path: str, fields: Fields | None) -> types.Write:
        if fields is None:
            return types.Write(delete=self._root + path)
        size = sum(len(str(value).encode()) for value in fields.values()) + len(path.encode()) + _OVERHEAD_BYTES
        if size > DOCUMENT_BYTES_MAX:
            raise TerminalError(
                f"document {path} has {size} bytes, and Firestore takes {DOCUMENT_BYTES_MAX}; find out why it grew"
            )
        values = {name: _value(value) for name, value in fields.items()}
        return types.Write(update=types.Document(name=self._root + path, fields=values))

    def _run(self, query: Query, read_time: Any) -> tuple[list[tuple[str, Fields]], Any]:
        parent, _, _ = (self._root + query.collection).rpartition("/")
        request = types.RunQueryRequest(parent=parent, structured_query=self._structured(query), read_time=read_time)
        with google_errors(f"querying {query.collection}", _ROLE):
            answers = self._patiently(self._client.run_query, request)
        found = [(self._path(each.document.name), _fields(each.document)) for each in answers if each.document.name]
        return found, answers[-1].read_time if answers else read_time

    def _structured(self, query: Query) -> types.StructuredQuery:
        structured = types.StructuredQuery(
            from_=[{"collection_id": query.collection.rpartition("/")[2]}],
            order_by=[
                {"field": {"field_path": query.order_by}, "direction": types.StructuredQuery.Direction.ASCENDING}
            ],
        )
        if query.ids_only:
            structured.select = types.StructuredQuery.Projection(fields=[{"field_path": _NAME}])
        if query.filters:
            structured.where = types.StructuredQuery.Filter(
                composite_filter={
                    "op": types.StructuredQuery.CompositeFilter.Operator.AND,
                    "filters": [_condition(each) for each in query.filters],
                }
            )
        if query.limit:
            structured.limit = Int32Value(value=query.limit)
        if query.after or query.first:
            structured.start_at = self._at(query.collection, query.after or query.first, before=not query.after)
        if query.beyond:
            structured.end_at = self._at(query.collection, query.beyond, before=True)
        return structured

    def _at(self, collection: str, document: str, *, before: bool) -> types.Cursor:
        return types.Cursor(values=[{"reference_value": f"{self._root}{collection}/{document}"}], before=before)

    def _path(self, name: str) -> str:
        return name.removeprefix(self._root)


def open_client() -> FirestoreClient:
    """Open a Firestore client; where FIRESTORE_EMULATOR_HOST is set it calls that address, without credentials."""
    with google_errors("opening Firestore", "a service account"):
        emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
        if emulator:
            return FirestoreClient(transport=FirestoreGrpcTransport(channel=grpc.insecure_channel(emulator)))
        return FirestoreClient()


def _may_pass(error: GoogleAPICallError | RetryError) -> bool:
    """Return whether a transaction that failed so may succeed from the beginning: an expired one has a terminal code."""
    return isinstance(error, PASSING) or (isinstance(error, InvalidArgument) and _EXPIRED in error.message)


def _condition(wanted: Filter) -> Mapping[str, Any]:
    if isinstance(wanted.value, str | int):
        value = _value(wanted.value)
    else:
        value = types.Value(array_value={"values": [_value(each) for each in wanted.value]})
    return {"field_filter": {"field": {"field_path": wanted.name}, "op": wanted.operator, "value": value}}


def _value(value: str | int | bool) -> types.Value:  # noqa: FBT001  a truth is one of the values that documents hold
    if isinstance(value, bool):
        return types.Value(boolean_value=value)
    if isinstance(value, int):
        return types.Value(integer_value=value)
    return types.Value(string_value=value)


def _fields(document: types.Document) -> Fields:
    plain = types.Document.pb(document).fields
    return {name: getattr(value, value.WhichOneof("value_type")) for name, value in plain.items()}


def paths_of(collection: str, keys: Iterable[str]) -> list[str]:
    """Return the paths of keys in a collection, sorted, so that transactions meet in one order."""
    return sorted(f"{collection}/{document_id(key)}" for key in keys)
