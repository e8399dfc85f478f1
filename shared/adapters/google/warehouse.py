"""The warehouse on BigQuery: load jobs from files, query jobs under a byte ceiling, each job of one name run once."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeAlias, cast

from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
    RetryError,
)
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import (
    Client,
    CreateDisposition,
    Dataset,
    DatasetReference,
    LoadJob,
    LoadJobConfig,
    QueryJob,
    QueryJobConfig,
    ScalarQueryParameter,
    SchemaField,
    SourceFormat,
    Table,
    WriteDisposition,
)
from google.cloud.bigquery.table import RowIterator

from shared.adapters.google.calls import Patience, google_errors, meaning_of, passes
from shared.domain.errors import AsientoError, NotFoundError, TerminalError, TransientError
from shared.ports.warehouse import Cell, Columns, Files, Parameters, Row

BYTES_BILLED_MAX = 256 * 1024**3
"""What one statement may read before BigQuery refuses it: far above a build, far below a month's budget."""

JOB_S_MAX = 900.0
"""How long a job is waited for; it goes on without us, and a retried step finds it by its name."""

_TRIES_MAX = 3
"""How many jobs one call begins where each fails by no fault of the statement."""

_CHUNK_RETRIES_MAX = 3
"""How often a part of a file is sent again before the whole file is, under the same name."""

_CELLS = frozenset({"INT64", "STRING", "BOOL", "DATE"})
_TYPES = {"INTEGER": "INT64", "BOOLEAN": "BOOL"}
"""The API's older names of GoogleSQL's types."""

_PASSING_REASONS = frozenset(
    {
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "quotaExceeded",
        "rateLimitExceeded",
        "tableUnavailable",
    }
)
"""Reasons that pass by themselves; BigQuery tells several of them with a status that elsewhere means a wrong request."""

_CONTENDED = "Could not serialize access"
"""How BigQuery tells that another statement changed the same table meanwhile; its reason says `invalidQuery`."""

_ABOUT_NAMES = re.compile(
    r"(?:[A-Z]+ https?://\S+: )?"  # by which request, where BigQuery refuses it at once
    r"((?:Syntax error|Unrecognized name|Not found|Table not found|Function not found|Query parameter|Column name|"
    r"Query exceeded limit for bytes billed|Name \S+ not found|No matching signature)[^\n;]*)"
)
"""Messages that speak of tables, columns and limits; those of all others may quote the data at fault."""

_ROLES = "roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project"
_NAMED = re.compile(r"@(\w+)")

_Job: TypeAlias = LoadJob | QueryJob


def open_client(project: str | None, location: str) -> Client:
    """Open a BigQuery client whose jobs and datasets are in one location.

    Where BIGQUERY_EMULATOR_HOST is set the library calls that address, without credentials.
    """
    credentials = AnonymousCredentials() if os.environ.get("BIGQUERY_EMULATOR_HOST") else None  # type: ignore[no-untyped-call] # the library declares no types here
    with google_errors("opening BigQuery", "a service account"):
        return Client(project=project, credentials=credentials, location=location)


class GoogleWarehouse:
    """Warehouse on the datasets of one project and location.

    A job's name is its identity: what was begun under it is waited for and not begun again, by whoever asks. A label
    keeps the digest of what it was asked to do, so that a name used for something else is refused.
    """

    def __init__(
        self,
        client: Client,
        patience: Patience | None = None,
        *,
        bytes_billed_max: int = BYTES_BILLED_MAX,
        job_s_max: float = JOB_S_MAX,
    ) -> None:
        """Take the client; it is closed with the warehouse."""
        self._client = client
        self._patience = patience or Patience()
        self._bytes_billed_max = bytes_billed_max
        self._job_s_max = job_s_max
        self._known_datasets: set[str] = set()

    def ensure_table(self, table: str, columns: Columns) -> None:
        """Create the table or add the columns that it lacks."""
        self._ensure_dataset(table)
        found = self._found(table)
        retry, timeout = self._patience.retry(_passes), self._patience.try_s_max
        if found is None:
            with _errors(f"making {table}"):
                made = Table(self._address(table), schema=_schema(columns))
                self._client.create_table(made, exists_ok=True, retry=retry, timeout=timeout)
            return
        present = {field.name: _type_of(field) for field in found.schema}
        for column, kind in columns.items():
            if present.get(column, kind) != kind:
                raise TerminalError(
                    f"{table}.{column} is {present[column]} and its model now says {kind}: give the column a new name"
                )
        if lacking := {column: kind for column, kind in columns.items() if column not in present}:
            found.schema = [*found.schema, *_schema(lacking)]
            with _errors(f"adding {', '.join(lacking)} to {table}"):
                self._client.update_table(found, ["schema"], retry=retry, timeout=timeout)

    def load(self, table: str, columns: Columns, rows: Path, *, job_id: str, replace: bool) -> int:
        """Load the file in one job. Replacing, the job brings the columns; adding, the table has them."""
        if replace:
            self._ensure_dataset(table)
        else:
            self.ensure_table(table, columns)
        with rows.open("rb") as file:
            content = file_digest(file, "sha256").hexdigest()
        config = LoadJobConfig(
            source_format=SourceFormat.NEWLINE_DELIMITED_JSON,
            create_disposition=CreateDisposition.CREATE_IF_NEEDED,
            write_disposition=WriteDisposition.WRITE_TRUNCATE if replace else WriteDisposition.WRITE_APPEND,
            labels=_labels(table, repr(dict(columns)), content, str(replace)),
        )
        if replace:
            config.schema = _schema(columns)

        def begin(name: str) -> LoadJob:
            with rows.open("rb") as file:
                return self._client.load_table_from_file(
                    file,
                    self._address(table),
                    size=rows.stat().st_size,
                    num_retries=_CHUNK_RETRIES_MAX,
                    job_id=name,
                    job_config=config,
                    timeout=self._patience.try_s_max,
                )

        done = self._run(job_id, begin, config.labels)
        return int(cast("LoadJob", done).output_rows or 0)

    def execute(self, sql: str, parameters: Parameters, *, job_id: str) -> None:
        """Run one statement in a job of this name."""
        config = self._query_config(sql, parameters)
        self._run(job_id, partial(self._begin_query, sql, config), config.labels)

    def execute_over(self, sql: str, files: Files, *, job_id: str) -> None:
        """Load the files into their table by one job, from where they lie, run the statement by another, and drop the table."""
        self._ensure_dataset(files.table)
        config = LoadJobConfig(
            source_format=SourceFormat.NEWLINE_DELIMITED_JSON,
            create_disposition=CreateDisposition.CREATE_IF_NEEDED,
            write_disposition=WriteDisposition.WRITE_TRUNCATE,
            schema=_schema(files.columns),
            ignore_unknown_values=True,
            labels=_labels(files.table, repr(dict(files.columns)), *files.addresses),
        )

        def begin(name: str) -> LoadJob:
            return self._client.load_table_from_uri(
                files.addresses,
                self._address(files.table),
                job_id=name,
                job_config=config,
                retry=self._patience.retry(_passes),
                timeout=self._patience.try_s_max,
            )

        self._run(f"{job_id}-files", begin, config.labels)
        self.execute(sql, {}, job_id=job_id)
        with _errors(f"dropping {files.table}"):
            retry, timeout = self._patience.retry(_passes), self._patience.try_s_max
            self._client.delete_table(self._address(files.table), retry=retry, timeout=timeout, not_found_ok=True)

    def make_view(self, view: str, sql: str, *, replace: bool) -> None:
        """Make a view by its defining statement, in which tables are those of the view's own project."""
        self._ensure_dataset(view)
        if not replace and self._found(view) is not None:
            return
        making = "CREATE OR REPLACE VIEW" if replace else "CREATE VIEW IF NOT EXISTS"
        defining = f"{making} {_quoted(view)} AS {sql}"
        with _errors(f"view {view}"):
            self._answer(defining, self._query_config(defining, {}))

    def query(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        """Yield rows page by page."""
        with _errors("a query"):
            answer = self._answer(sql, self._query_config(sql, parameters))
            unfit = [field.name for field in answer.schema if _type_of(field) not in _CELLS]
            if unfit:
                raise TerminalError(
                    f"a query answers {', '.join(unfit)} with a type that no cell has: cast in the query"
                )
            for row in answer:
                yield dict(zip(row.keys(), cast("tuple[Cell, ...]", row.values()), strict=True))

    def close(self) -> None:
        """Give connections back."""
        self._client.close()  # type: ignore[no-untyped-call] # the library declares no types here

    def _ensure_dataset(self, table: str) -> None:
        """Make the dataset where there is none: asked for first, because who may write in it may often not make it."""
        dataset = DatasetReference(self._client.project, table.partition(".")[0])
        if dataset.dataset_id in self._known_datasets:
            return
        retry, timeout = self._patience.retry(_passes), self._patience.try_s_max
        with _errors(f"making dataset {dataset.dataset_id}"):
            try:
                self._client.get_dataset(dataset, retry=retry, timeout=timeout)
            except NotFound:
                self._client.create_dataset(Dataset(dataset), exists_ok=True, retry=retry, timeout=timeout)
        self._known_datasets.add(dataset.dataset_id)

    def _found(self, table: str) -> Table | None:
        """Return a table or view as it is, or None."""
        with _errors(f"looking at {table}"):
            try:
                return self._client.get_table(
                    self._address(table), retry=self._patience.retry(_passes), timeout=self._patience.try_s_max
                )
            except NotFound:
                return None

    def _answer(self, sql: str, config: QueryJobConfig) -> RowIterator:
        """Run a statement in a job without a name, again where it fails by no fault of its own, and return its answer."""
        return self._patience.retry(_passes)(self._answer_once)(sql, config)

    def _answer_once(self, sql: str, config: QueryJobConfig) -> RowIterator:
        return cast("RowIterator", self._wait(self._begin_query(sql, config, None)))

    def _begin_query(self, sql: str, config: QueryJobConfig, name: str | None) -> QueryJob:
        return self._client.query(
            sql,
            job_config=config,
            job_id=name,
            retry=self._patience.retry(_passes),
            timeout=self._patience.try_s_max,
            job_retry=None,
        )

    def _run(self, job_id: str, begin: Callable[[str], _Job], labels: Mapping[str, str]) -> _Job:
        """Run a job of this name to its end, and only once; what failed by no fault of its own has a successor."""
        number, begun_here, name = 1, 0, job_id
        while True:
            with _errors(f"job {name}"):
                job, is_new = self._begin(name, begin)
                if job.labels != labels:
                    raise TerminalError(f"job {name} was begun for something else; give every step a name of its own")
                begun_here += is_new
                try:
                    self._wait(job)
                except GoogleAPICallError as failed:
                    if job.error_result is None or not _passes(failed) or begun_here >= _TRIES_MAX:
                        raise
                else:
                    return job
            number, name = number + 1, f"{job_id}-{number + 1}"

    def _begin(self, name: str, begin: Callable[[str], _Job]) -> tuple[_Job, bool]:
        """Begin a job, or find the one of this name; say whether it was begun here."""
        try:
            return self._patience.retry(_passes)(begin)(name), True
        except Conflict:
            # It is there, though reading it may lag a moment behind.
            retry = self._patience.retry(_passes_or_lags)
            found = self._client.get_job(name, retry=retry, timeout=self._patience.try_s_max)
            return cast("_Job", found), False

    def _wait(self, job: _Job) -> object:
        if isinstance(job, QueryJob):
            return job.result(retry=self._patience.retry(_passes), timeout=self._job_s_max, job_retry=None)
        return job.result(retry=self._patience.retry(_passes), timeout=self._job_s_max)

    def _query_config(self, sql: str, parameters: Parameters) -> QueryJobConfig:
        used = [name for name in dict.fromkeys(_NAMED.findall(sql)) if name in parameters]
        return QueryJobConfig(
            use_legacy_sql=False,
            maximum_bytes_billed=self._bytes_billed_max,
            query_parameters=[
                ScalarQueryParameter(name, _parameter_type(parameters[name]), parameters[name]) for name in used
            ],
            labels=_labels(sql, *(f"{name}={parameters[name]!r}" for name in used)),
        )

    def _address(self, table: str) -> str:
        return f"{self._client.project}.{table}"


def _labels(*asked: str) -> dict[str, str]:
    """Return the labels of a job: whose it is, for the bill, and the digest of what it is asked to do."""
    return {"application": "asiento", "asked": sha256("\n".join(asked).encode()).hexdigest()[:32]}


def _schema(columns: Columns) -> list[SchemaField]:
    return [SchemaField(name, kind) for name, kind in columns.items()]


def _type_of(field: SchemaField) -> str:
    return _TYPES.get(field.field_type, field.field_type) if field.mode != "REPEATED" else "ARRAY"


def _parameter_type(value: str | int | bool | date) -> str:  # noqa: FBT001  a truth is one of the values of a parameter
    """Return the GoogleSQL type of a parameter; a bool is an int to Python, so it is asked first."""
    if isinstance(value, bool):
        return "BOOL"
    if isinstance(value, int):
        return "INT64"
    return "DATE" if isinstance(value, date) else "STRING"


def _quoted(table: str) -> str:
    return ".".join(f"`{part}`" for part in table.split("."))


def _reason(error: GoogleAPICallError) -> str:
    return str(error.errors[0].get("reason", "")) if error.errors and isinstance(error.errors[0], Mapping) else ""


def _passes(error: BaseException) -> bool:
    """Return whether a call or a job that failed so may succeed when it is made again."""
    if isinstance(error, GoogleAPICallError) and (_reason(error) in _PASSING_REASONS or _CONTENDED in error.message):
        return True
    return passes(error)


def _passes_or_lags(error: BaseException) -> bool:
    return _passes(error) or isinstance(error, NotFound)


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    """Raise BigQuery's errors as Asiento's family, without the data that its messages quote."""
    try:
        yield
    except (GoogleAPICallError, RetryError, GoogleAuthError, OSError) as error:
        raise _meaning_of(error, doing) from None


def _meaning_of(error: BaseException, doing: str) -> AsientoError:
    if isinstance(error, GoogleAPICallError) and (_passes(error) or isinstance(error, Conflict | PreconditionFailed)):
        return TransientError(f"{doing}: BigQuery is busy, down or contended ({_reason(error)}); try again later")
    if isinstance(error, BadRequest | NotFound):
        said = _ABOUT_NAMES.match(error.message)
        what = said.group(1) if said else f"refused on the data ({_reason(error) or 'no reason given'})"
        return (NotFoundError if isinstance(error, NotFound) else TerminalError)(f"{doing} failed: {what}")
    return meaning_of(error, doing, _ROLES)
