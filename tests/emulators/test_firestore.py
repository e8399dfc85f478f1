"""Asiento's Firestore emulator is faithful where the ledger leans on it: what it must refuse, it refuses."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from tests.emulators.firestore import FirestoreEmulator
from tests.emulators.fixtures import fresh_name

EXISTS, ABSENT = types.Precondition(exists=True), types.Precondition(exists=False)


@pytest.fixture
def database() -> str:
    """A new database."""
    return f"projects/{fresh_name('firestore')}/databases/(default)"


def name_of(database: str, path: str) -> str:
    """Return a document's full name."""
    return f"{database}/documents/{path}"


def put(
    database: str, path: str, condition: types.Precondition | None = None, **fields: int | str | bool
) -> types.Write:
    """Return a write of a whole document."""
    document = types.Document(
        name=name_of(database, path), fields={name: _value(value) for name, value in fields.items()}
    )
    return types.Write(update=document, current_document=condition)


def read(client: FirestoreClient, database: str, *paths: str, **options: Any) -> list[types.BatchGetDocumentsResponse]:
    """Read documents."""
    names = [name_of(database, path) for path in paths]
    return list(
        client.batch_get_documents(
            types.BatchGetDocumentsRequest(database=database, documents=names, **options), retry=None
        )
    )


def query(
    client: FirestoreClient, database: str, collection: str, *filters: tuple[str, str, int | str | bool]
) -> list[str]:
    """Return the ids that a query finds."""
    operators = types.StructuredQuery.FieldFilter.Operator
    conditions = [
        {"field_filter": {"field": {"field_path": name}, "op": getattr(operators, op), "value": _value(value)}}
        for name, op, value in filters
    ]
    structured = types.StructuredQuery(from_=[{"collection_id": collection}])
    structured.where = types.StructuredQuery.Filter(composite_filter={"op": "AND", "filters": conditions})
    request = types.RunQueryRequest(parent=f"{database}/documents", structured_query=structured)
    return [
        each.document.name.rpartition("/")[2] for each in client.run_query(request, retry=None) if each.document.name
    ]


def _value(value: int | str | bool) -> types.Value:  # noqa: FBT001  a truth is a value here
    if isinstance(value, bool):
        return types.Value(boolean_value=value)
    return types.Value(integer_value=value) if isinstance(value, int) else types.Value(string_value=value)


def test_a_commit_is_all_or_nothing(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator writes nothing of a commit of which one precondition fails."""
    firestore_client.commit(database=database, writes=[put(database, "events/e1", ABSENT, body="a")])
    with pytest.raises(exceptions.AlreadyExists):
        firestore_client.commit(
            database=database,
            writes=[put(database, "events/e2", body="b"), put(database, "events/e1", ABSENT, body="c")],
        )
    with pytest.raises(exceptions.NotFound):
        firestore_client.commit(
            database=database, writes=[put(database, "events/e2", body="b"), put(database, "events/e3", EXISTS)]
        )
    first, second = read(firestore_client, database, "events/e1", "events/e2")
    assert first.found.fields["body"].string_value == "a"
    assert second.missing == name_of(database, "events/e2")


@pytest.mark.parametrize("was_there", [True, False], ids=["changed", "created"])
def test_a_transaction_whose_reads_changed_is_aborted(
    firestore_client: FirestoreClient, database: str, *, was_there: bool
) -> None:
    """Asiento's emulator aborts what decided on a document that another wrote or created meanwhile."""
    if was_there:
        firestore_client.commit(database=database, writes=[put(database, "entities/a", body="1")])
    transaction = firestore_client.begin_transaction(database=database).transaction
    read(firestore_client, database, "entities/a", transaction=transaction)
    firestore_client.commit(database=database, writes=[put(database, "entities/a", body="2")])
    with pytest.raises(exceptions.Aborted):
        firestore_client.commit(
            types.CommitRequest(
                database=database, transaction=transaction, writes=[put(database, "entities/b", body="3")]
            )
        )
    assert read(firestore_client, database, "entities/b")[0].missing
    with pytest.raises(exceptions.InvalidArgument, match="no longer valid"):
        firestore_client.commit(types.CommitRequest(database=database, transaction=transaction))


def test_a_transaction_that_read_other_things_commits(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator lets transactions through that do not touch: contention in tests is real contention."""
    transaction = firestore_client.begin_transaction(database=database).transaction
    read(firestore_client, database, "entities/a", transaction=transaction)
    firestore_client.commit(database=database, writes=[put(database, "entities/other", body="2")])
    firestore_client.commit(
        types.CommitRequest(database=database, transaction=transaction, writes=[put(database, "entities/a", body="3")])
    )
    assert read(firestore_client, database, "entities/a")[0].found.fields["body"].string_value == "3"


def test_a_transaction_reads_one_moment(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator shows a transaction the documents as they stood when it began."""
    transaction = firestore_client.begin_transaction(database=database).transaction
    firestore_client.commit(database=database, writes=[put(database, "entities/a", body="late")])
    assert read(firestore_client, database, "entities/a", transaction=transaction)[0].missing


def test_a_rolled_back_transaction_is_over(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator takes no commit for a transaction that was rolled back."""
    transaction = firestore_client.begin_transaction(database=database).transaction
    firestore_client.rollback(database=database, transaction=transaction)
    with pytest.raises(exceptions.InvalidArgument, match="no longer valid"):
        firestore_client.commit(types.CommitRequest(database=database, transaction=transaction))


def test_a_query_needs_the_index_that_is_declared(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator refuses a query that no declared index serves, so that a missing one shows before deployment."""
    firestore_client.commit(
        database=database,
        writes=[
            put(database, f"entities/s{at}", occurred_at_ms=at, has_conflict=at == 2, kind="sale", provider="betterez")
            for at in range(4)
        ],
    )
    equal = (("kind", "EQUAL", "sale"), ("provider", "EQUAL", "betterez"))
    assert query(firestore_client, database, "entities", *equal, ("occurred_at_ms", "GREATER_THAN_OR_EQUAL", 2)) == [
        "s2",
        "s3",
    ]
    assert query(firestore_client, database, "entities", ("has_conflict", "EQUAL", True)) == ["s2"]
    for unserved in (
        [equal[0], ("occurred_at_ms", "LESS_THAN", 2)],
        [("occurred_at_ms", "LESS_THAN", 2)],
        [("body", "EQUAL", "exempt")],
    ):
        with pytest.raises(exceptions.FailedPrecondition, match="requires an index"):
            query(firestore_client, database, "entities", *unserved)


@pytest.mark.parametrize("document_id", ["__reserved__", "..", "x" * 1501])
def test_a_name_that_the_service_forbids_is_refused(
    firestore_client: FirestoreClient, database: str, document_id: str
) -> None:
    """Asiento's emulator refuses document names that Firestore refuses."""
    with pytest.raises(exceptions.InvalidArgument):
        firestore_client.commit(database=database, writes=[put(database, f"entities/{document_id}", body="x")])


def test_a_document_larger_than_the_limit_is_refused(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator refuses a document of more than 1 MiB."""
    with pytest.raises(exceptions.InvalidArgument, match="larger than"):
        firestore_client.commit(database=database, writes=[put(database, "entities/a", body="x" * 1_048_577)])


def test_units_are_counted_as_they_are_billed(
    firestore_client: FirestoreClient, firestore: FirestoreEmulator, database: str
) -> None:
    """Asiento's emulator counts reads (absent documents too), writes and deletes, from which the cost is computed."""
    firestore_client.commit(database=database, writes=[put(database, f"events/e{at}", body="b") for at in range(3)])
    read(firestore_client, database, "events/e1", "events/absent")
    firestore_client.commit(database=database, writes=[types.Write(delete=name_of(database, "events/e1"))])
    assert firestore.billed == {"document_writes": 3, "document_reads": 2, "document_deletes": 1}


def test_a_collection_lists_in_pages(firestore_client: FirestoreClient, database: str) -> None:
    """Asiento's emulator lists a collection page by page, deleted documents left out."""
    firestore_client.commit(database=database, writes=[put(database, f"events/e{at}", body="b") for at in range(7)])
    firestore_client.commit(database=database, writes=[types.Write(delete=name_of(database, "events/e3"))])
    request = types.ListDocumentsRequest(parent=f"{database}/documents", collection_id="events", page_size=2)
    found = [document.name.rpartition("/")[2] for document in firestore_client.list_documents(request)]
    assert found == ["e0", "e1", "e2", "e4", "e5", "e6"]
