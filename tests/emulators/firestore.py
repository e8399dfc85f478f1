"""Firestore's google.firestore.v1 over gRPC.

Faithful where Asiento leans on it: a commit is atomic, its preconditions and limits are checked, a transaction whose
reads have changed by the time it commits is ABORTED, a finished transaction is no longer valid, a query needs the index
that is declared for it, and reads at an earlier moment see that moment. Billed units are counted as the service counts.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any

import grpc
from google.cloud.firestore_v1 import types
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from tests.emulators.firestore_data import Data, moment, version_of
from tests.emulators.firestore_query import Indexes, run
from tests.emulators.grpc_server import GrpcEmulator, Method, RpcRefused

INDEXES = Path(__file__).parents[2] / "shared" / "adapters" / "google" / "indexes.json"
REQUEST_BYTES_MAX = 10 * 1024 * 1024
DOCUMENT_BYTES_MAX = 1024 * 1024
_ENTRIES_PER_COUNTED_READ = 1000
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_FORBIDDEN_ID = re.compile(r"__.*__|\.\.?")


@dataclass(slots=True)
class OpenTransaction:
    """A transaction under way: the version that it reads at, and what it has read."""

    version: int
    read: set[str] = field(default_factory=set)


class FirestoreEmulator(GrpcEmulator):
    """The server. `billed` counts document reads, writes and deletes."""

    def __init__(self, indexes: Path = INDEXES) -> None:
        """Start with no documents and the declared indexes."""
        self.billed: Counter[str] = Counter()
        self._indexes = Indexes.read(indexes)
        self._data = Data()
        self._lock = RLock()
        self._open: dict[bytes, OpenTransaction] = {}
        self._ids = count(1)
        methods = {
            "BatchGetDocuments": Method(
                types.BatchGetDocumentsRequest.pb(), types.BatchGetDocumentsResponse.pb(), self._batch_get, streams=True
            ),
            "BeginTransaction": Method(
                types.BeginTransactionRequest.pb(), types.BeginTransactionResponse.pb(), self._begin
            ),
            "Commit": Method(types.CommitRequest.pb(), types.CommitResponse.pb(), self._commit),
            "Rollback": Method(types.RollbackRequest.pb(), Empty, self._rollback),
            "RunQuery": Method(types.RunQueryRequest.pb(), types.RunQueryResponse.pb(), self._run_query, streams=True),
            "RunAggregationQuery": Method(
                types.RunAggregationQueryRequest.pb(),
                types.RunAggregationQueryResponse.pb(),
                self._aggregate,
                streams=True,
            ),
            "PartitionQuery": Method(
                types.PartitionQueryRequest.pb(), types.PartitionQueryResponse.pb(), self._partition
            ),
            "ListDocuments": Method(types.ListDocumentsRequest.pb(), types.ListDocumentsResponse.pb(), self._list),
        }
        super().__init__({"google.firestore.v1.Firestore": methods})

    def _batch_get(self, request: Any) -> list[Any]:
        response = types.BatchGetDocumentsResponse.pb()
        answers = []
        with self._lock:
            transaction, version = self._reading(request)
            if request.HasField("new_transaction"):
                answers.append(response(transaction=transaction))
            for name in request.documents:
                self._note_read(transaction, name)
                self.billed["document_reads"] += 1
                document = self._data.at(name, version)
                answer = response(found=document) if document is not None else response(missing=name)
                answer.read_time.FromDatetime(moment(version))
                answers.append(answer)
        return answers

    def _begin(self, _: Any) -> Any:
        with self._lock:
            return types.BeginTransactionResponse.pb()(transaction=self._new_transaction())

    def _rollback(self, request: Any) -> Any:
        with self._lock:
            self._take(request.transaction)
        return Empty()

    def _commit(self, request: Any) -> Any:
        if request.ByteSize() > REQUEST_BYTES_MAX:
            raise RpcRefused(_INVALID, "the request is too big")
        with self._lock:
            if request.transaction:
                transaction = self._take(request.transaction)
                if any(self._data.changed_since(name, transaction.version) for name in transaction.read):
                    raise RpcRefused(grpc.StatusCode.ABORTED, "too much contention on these documents; try again")
            for write in request.writes:
                self._check(write)
            self._data.version += 1
            for write in request.writes:
                self._apply(write)
            committed = Timestamp()
            committed.FromDatetime(moment(self._data.version))
        results = [types.WriteResult.pb()(update_time=committed) for _ in request.writes]
        return types.CommitResponse.pb()(write_results=results, commit_time=committed)

    def _run_query(self, request: Any) -> Iterator[Any]:
        response = types.RunQueryResponse.pb()
        with self._lock:
            _, version = self._reading(request)
            read_at = Timestamp()
            read_at.FromDatetime(moment(version))
            found = list(run(self._data, self._indexes, request.parent, request.structured_query, version))
        self.billed["document_reads"] += max(1, len(found))
        for document in found:
            yield response(document=document, read_time=read_at)
        if not found:
            yield response(read_time=read_at)

    def _aggregate(self, request: Any) -> Iterator[Any]:
        query = request.structured_aggregation_query
        if [each.WhichOneof("operator") for each in query.aggregations] != ["count"]:
            raise RpcRefused(grpc.StatusCode.UNIMPLEMENTED, "this emulator knows one count only")
        with self._lock:
            found = sum(
                1 for _ in run(self._data, self._indexes, request.parent, query.structured_query, self._data.version)
            )
        self.billed["document_reads"] += max(1, -(-found // _ENTRIES_PER_COUNTED_READ))
        answer = types.RunAggregationQueryResponse.pb()()
        answer.result.aggregate_fields[query.aggregations[0].alias].integer_value = found
        yield answer

    def _partition(self, request: Any) -> Any:
        query = request.structured_query
        selector = query.from_[0]
        if not selector.all_descendants or [each.field.field_path for each in query.order_by] != ["__name__"]:
            raise RpcRefused(_INVALID, "a partition query is of a collection group, in order of names")
        with self._lock:
            names = self._data.split(f"{request.parent}/{selector.collection_id}", request.partition_count + 1)
        cursors = [types.Cursor.pb()(values=[types.Value.pb()(reference_value=name)], before=True) for name in names]
        return types.PartitionQueryResponse.pb()(partitions=cursors)

    def _list(self, request: Any) -> Any:
        name = f"{request.parent}/{request.collection_id}"
        limit = request.page_size or 300
        with self._lock:
            found = list(self._data.collection(name, self._data.version, request.page_token.encode()))
        self.billed["document_reads"] += min(len(found), limit)
        more = found[limit].name.rpartition("/")[2] if len(found) > limit else ""
        return types.ListDocumentsResponse.pb()(documents=found[:limit], next_page_token=more)

    def _reading(self, request: Any) -> tuple[bytes, int]:
        """Return the transaction of a read, if it has one, and the version that it reads at."""
        selector = request.WhichOneof("consistency_selector")
        if selector == "new_transaction":
            return self._new_transaction(), self._data.version
        if selector == "read_time":
            return b"", version_of(request.read_time.ToDatetime(tzinfo=moment(0).tzinfo))
        if selector == "transaction" and request.transaction:
            return request.transaction, self._valid(request.transaction).version
        return b"", self._data.version

    def _new_transaction(self) -> bytes:
        transaction = b"transaction-%d" % next(self._ids)
        self._open[transaction] = OpenTransaction(self._data.version)
        return transaction

    def _note_read(self, transaction: bytes, name: str) -> None:
        if transaction:
            self._open[transaction].read.add(name)

    def _valid(self, transaction: bytes) -> OpenTransaction:
        if transaction not in self._open:
            raise RpcRefused(_INVALID, "The referenced transaction has expired or is no longer valid.")
        return self._open[transaction]

    def _take(self, transaction: bytes) -> OpenTransaction:
        self._valid(transaction)
        return self._open.pop(transaction)

    def _check(self, write: Any) -> None:
        """Refuse a write that the service would refuse; nothing of its commit is applied then."""
        kind = write.WhichOneof("operation")
        if kind not in ("update", "delete") or write.update_transforms:
            raise RpcRefused(grpc.StatusCode.UNIMPLEMENTED, f"this emulator does not know the write {kind}")
        name = write.update.name if kind == "update" else write.delete
        document_id = name.rpartition("/")[2]
        if not document_id or len(document_id.encode()) > 1500 or _FORBIDDEN_ID.fullmatch(document_id):
            raise RpcRefused(_INVALID, f"{name} is no document name")
        if write.update.ByteSize() > DOCUMENT_BYTES_MAX:
            raise RpcRefused(_INVALID, f"document {name} is larger than {DOCUMENT_BYTES_MAX} bytes")
        there = self._data.at(name, self._data.version)
        wanted = write.current_document
        condition = wanted.WhichOneof("condition_type")
        if condition == "exists" and wanted.exists != (there is not None):
            code = grpc.StatusCode.NOT_FOUND if wanted.exists else grpc.StatusCode.ALREADY_EXISTS
            raise RpcRefused(code, f"document {name} exists: {there is not None}")
        if condition == "update_time" and (there is None or there.update_time != wanted.update_time):
            raise RpcRefused(grpc.StatusCode.FAILED_PRECONDITION, f"document {name} was changed since")

    def _apply(self, write: Any) -> None:
        if write.WhichOneof("operation") == "delete":
            self.billed["document_deletes"] += 1
            self._data.put(write.delete, None)
            return
        self.billed["document_writes"] += 1
        there = self._data.at(write.update.name, self._data.version)
        document = types.Document.pb()()
        if write.HasField("update_mask") and there is not None:
            document.CopyFrom(there)
            for name in write.update_mask.field_paths:
                document.fields.pop(name, None)
                if name in write.update.fields:
                    document.fields[name].CopyFrom(write.update.fields[name])
        else:
            document.CopyFrom(write.update)
        document.update_time.FromDatetime(moment(self._data.version))
        document.create_time.CopyFrom(there.create_time if there is not None else document.update_time)
        self._data.put(write.update.name, document)
