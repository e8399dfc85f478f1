"""BigQuery's REST API: PyPI's bqemulator runs the SQL, and what stands before it keeps jobs as BigQuery keeps them.

bqemulator is a process of its own. It forgets the name under which a file is loaded, runs a job of one name as often as
it is asked to, truncates a table before it knows whether the file can be read, adds no column when a table is patched,
and knows no bucket. Names, loads and patches are therefore made good here: a second job of one name is answered 409, a
load lands whole or not at all, from a file or from objects of the Cloud Storage emulator, a replacing load brings its
columns, and a patch of a table that has changed is answered 412. Every other request goes through as it came.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.emulators.faults import Fault, Faults
from tests.emulators.storage import Buckets, HttpError

Json = dict[str, Any]

_REASONS = {
    400: "invalid",
    403: "accessDenied",
    404: "notFound",
    409: "duplicate",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
}
_VERBS = {"GET": "get", "POST": "insert", "PATCH": "patch", "DELETE": "delete"}
_JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Backend:
    """The bqemulator behind."""

    address: str
    """`host:port`."""

    def forward(self, method: str, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """Pass a request on as it came."""
        connection = HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body or None, {"Content-Type": content_type})
            answer = connection.getresponse()
            content = answer.read()
            return Answer(answer.status, {"Content-Type": answer.getheader("Content-Type", "")}, content)
        finally:
            connection.close()

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Make a request of our own; an answer that is not success is answered to the client."""
        answer = self.forward(method, path, json.dumps(body).encode() if body is not None else b"")
        told: Json = json.loads(answer.body or b"{}")
        if answer.status >= 400:
            raise HttpError(answer.status, told["error"]["message"])
        return told

    def query(self, project: str, sql: str) -> Json:
        """Run a statement of our own and return its answer."""
        told = self.call("POST", f"{_projects(project)}/queries", {"query": sql, "useLegacySql": False})
        if told.get("errors"):
            raise HttpError(500, told["errors"][0]["message"])
        return told

    def add_columns(self, table_path: str, asked: Json, etag: str | None) -> Json:
        """Patch a table's schema, which may only grow, unless the table has changed since it had this tag."""
        there = self.call("GET", table_path)
        if etag not in (None, there["etag"]):
            raise HttpError(412, "Precondition check failed.")
        known = {each["name"] for each in there["schema"]["fields"]}
        project, dataset, table = (there["tableReference"][part] for part in ("projectId", "datasetId", "tableId"))
        for column in asked["schema"]["fields"]:
            if column["name"] not in known:
                adding = f"ALTER TABLE `{dataset}`.`{table}` ADD COLUMN `{column['name']}` {column['type']}"
                self.query(project, adding)
        return self.call("PATCH", table_path, asked)  # the statement changes what is stored, this what is told of it


@dataclass(slots=True)
class Jobs:
    """Every job ever begun, by project and name, for as long as the emulator runs."""

    backend: Backend
    buckets: Buckets = field(default_factory=Buckets)
    """What Cloud Storage holds: the emulator's, once a test has given it."""
    resources: dict[tuple[str, str], Json] = field(default_factory=dict)
    failures: list[Json] = field(default_factory=list)
    """Errors that the next jobs end in, without having done anything."""
    _names: dict[tuple[str, str], Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def insert(self, project: str, job: Json, media: bytes = b"") -> Json:
        """Run a job to its end and return it; answer 409 where one of this name was begun before."""
        name = job["jobReference"]["jobId"]
        with self._lock:
            turn = self._names.setdefault((project, name), Lock())
        with turn:
            if (project, name) in self.resources:
                raise HttpError(409, f"Already Exists: Job {project}:{name}")
            done = self._failed(job) or (
                self._load(project, job, media)
                if "load" in job["configuration"]
                else self.backend.call("POST", f"{_projects(project)}/jobs", job)
            )
            # Labels and ceilings come back as they were sent.
            done |= {
                "jobReference": job["jobReference"] | {"projectId": project},
                "configuration": job["configuration"],
            }
            self.resources[project, name] = done
            return done

    def get(self, project: str, name: str) -> Json:
        """Return a job by its name."""
        if (project, name) not in self.resources:
            raise HttpError(404, f"Not found: Job {project}:{name}")
        return self.resources[project, name]

    def _failed(self, job: Json) -> Json | None:
        if not self.failures:
            return None
        error = self.failures.pop(0)
        return {**job, "status": {"state": "DONE", "errorResult": error, "errors": [error]}}

    def _load(self, project: str, job: Json, media: bytes) -> Json:
        """Load into a table that nobody sees, and let the target become it, or take its rows, in one statement."""
        load = job["configuration"]["load"]
        target = load["destinationTable"]
        tables = f"{_projects(project)}/datasets/{target['datasetId']}/tables"
        schema = load.get("schema") or self.backend.call("GET", f"{tables}/{target['tableId']}")["schema"]
        aside = {**target, "tableId": f"load_{next(self._numbers)}"}
        self.backend.call("POST", tables, {"tableReference": aside, "schema": schema})
        if "sourceUris" in load:
            media = _known_members(b"".join(map(self._object, load["sourceUris"])), load)
        try:
            if error := self._upload(project, aside, media):
                return {**job, "status": {"state": "DONE", "errorResult": error, "errors": [error]}}
            loaded = self._land(project, aside, target, schema, truncate=load["writeDisposition"] == "WRITE_TRUNCATE")
        finally:
            self.backend.call("DELETE", f"{tables}/{aside['tableId']}")
        return {**job, "status": {"state": "DONE"}, "statistics": {"load": {"outputRows": str(loaded)}}}

    def _object(self, address: str) -> bytes:
        """Return an object at `gs://bucket/name`."""
        bucket, _, name = address.removeprefix("gs://").partition("/")
        return self.buckets.get(bucket, name).body

    def _upload(self, project: str, table: Json, media: bytes) -> Json | None:
        """Load the file by bqemulator's own upload; return the error that the load ended in."""
        if not media:
            return None
        load = {"destinationTable": table, "sourceFormat": "NEWLINE_DELIMITED_JSON"}
        job = json.dumps({"configuration": {"load": load}}).encode()
        boundary = "asiento-boundary"
        body = b"".join(
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\n\r\n".encode()
            + part
            + b"\r\n"
            for kind, part in (("application/json", job), ("application/octet-stream", media))
        )
        answer = self.backend.forward(
            "POST",
            f"/upload{_projects(project)}/jobs?uploadType=multipart",
            body + f"--{boundary}--\r\n".encode(),
            f"multipart/related; boundary={boundary}",
        )
        told: Json = json.loads(answer.body)
        if answer.status >= 400:
            raise HttpError(answer.status, told["error"]["message"])
        error: Json | None = told["status"].get("errorResult")
        return error

    def _land(self, project: str, aside: Json, target: Json, schema: Json, *, truncate: bool) -> int:
        names = ", ".join(f"`{each['name']}`" for each in schema["fields"])
        source = f"`{aside['datasetId']}`.`{aside['tableId']}`"
        there = f"`{target['datasetId']}`.`{target['tableId']}`"
        making = f"CREATE OR REPLACE TABLE {there} AS" if truncate else f"INSERT INTO {there} ({names})"
        self.backend.query(project, f"{making} SELECT {names} FROM {source}")  # noqa: S608  names of a test's own tables
        counted = self.backend.query(project, f"SELECT COUNT(*) AS n FROM {source}")  # noqa: S608  likewise
        return int(counted["rows"][0]["f"][0]["v"])


class BigQueryEmulator:
    """The server before a bqemulator: `with BigQueryEmulator("127.0.0.1:9050") as bigquery:` answers at `bigquery.url`."""

    def __init__(self, backend: str) -> None:
        """Bind a free port; nothing is served before the block is entered."""
        self.faults = Faults()
        self.jobs = Jobs(Backend(backend))
        emulator = self

        class Handler(_Handler):
            faults = emulator.faults
            jobs = emulator.jobs
            uploads: dict[str, tuple[str, Json, bytes]] = {}  # noqa: RUF012 one server, one class

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def clear(self) -> None:
        """Forget plans and counts: a new test begins. Jobs stay: a name is taken for ever."""
        self.faults.clear()
        self.jobs.failures.clear()

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faults: Faults
    jobs: Jobs
    uploads: dict[str, tuple[str, Json, bytes]]

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the server calls them so

    def log_message(self, *_: object) -> None:
        """Say nothing: tests read answers, not logs."""

    def _answer(self) -> None:
        """Read the request, apply the planned fault, and answer, or let the answer be lost."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self.parts = url.path.strip("/").split("/")
        fault = self.faults.on_call(self._method_name())
        try:
            _fail_as_planned(fault)
            answer = self._handle()
        except HttpError as error:
            told = {"reason": _REASONS.get(error.status, "backendError"), "message": str(error)}
            body = {"error": {"code": error.status, "message": str(error), "errors": [told]}}
            answer = Answer(error.status, _JSON_TYPE, json.dumps(body).encode())
        if fault is Fault.ANSWER_LOST:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _method_name(self) -> str:
        """Return the method's name as the service's documentation calls it."""
        if self.parts[0] == "upload":
            return "jobs.upload"
        collection = self.parts[4] if len(self.parts) < 7 or self.parts[4] != "datasets" else self.parts[6]
        if collection == "queries":
            return "jobs.getQueryResults" if self.command == "GET" else "jobs.query"
        return f"{collection}.{ {'GET': 'get', 'POST': 'insert', 'PATCH': 'patch', 'DELETE': 'delete'}[self.command] }"

    def _handle(self) -> Answer:
        if self.parts[0] == "upload":
            return self._take_upload()
        if self.parts[4] == "jobs" and self.command == "POST":
            return _json(self.jobs.insert(self.parts[3], json.loads(self.body)))
        if self.parts[4] == "jobs" and self.command == "GET":
            return _json(self.jobs.get(self.parts[3], self.parts[5]))
        backend = self.jobs.backend
        if self.command == "PATCH" and "schema" in (asked := json.loads(self.body)):
            return _json(backend.add_columns(urlsplit(self.path).path, asked, self.headers.get("If-Match")))
        return backend.forward(self.command, self.path, self.body)

    def _take_upload(self) -> Answer:
        """Take a file in one of two forms: beside the job, or in chunks after it."""
        project = self.parts[4]
        if self.command == "PUT":
            return self._take_chunk()
        if self.query["uploadType"] == "multipart":
            job, media = _multipart(self.headers["Content-Type"], self.body)
            return _json(self.jobs.insert(project, job, media))
        upload_id = f"upload-{len(self.uploads) + 1}"
        self.uploads[upload_id] = (project, json.loads(self.body), b"")
        where = f"http://{self.headers['Host']}{urlsplit(self.path).path}?uploadType=resumable&upload_id={upload_id}"
        return Answer(200, {"Location": where}, b"")

    def _take_chunk(self) -> Answer:
        upload_id = self.query["upload_id"]
        project, job, so_far = self.uploads[upload_id]
        span, _, total = self.headers["Content-Range"].removeprefix("bytes ").partition("/")
        if span != "*":
            so_far = so_far[: int(span.partition("-")[0])] + self.body
        self.uploads[upload_id] = (project, job, so_far)
        if total == "*" or len(so_far) < int(total):
            return Answer(308, {"Range": f"bytes=0-{len(so_far) - 1}"} if so_far else {}, b"")
        return _json(self.jobs.insert(project, job, so_far))


def _known_members(lines: bytes, load: Json) -> bytes:
    """Return lines without the members that are no columns, where the load says that they are to be passed over."""
    if not load.get("ignoreUnknownValues"):
        return lines
    columns = {each["name"] for each in load["schema"]["fields"]}
    rows = ({name: value for name, value in json.loads(line).items() if name in columns} for line in lines.splitlines())
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _fail_as_planned(fault: Fault | None) -> None:
    if fault is not None and fault is not Fault.ANSWER_LOST:
        raise HttpError(fault.http_status, fault.name)


def _projects(project: str) -> str:
    return f"/bigquery/v2/projects/{project}"


def _json(told: Json) -> Answer:
    return Answer(200, _JSON_TYPE, json.dumps(told).encode())


def _multipart(content_type: str, body: bytes) -> tuple[Json, bytes]:
    """Split a multipart/related upload into the job and the file, exactly."""
    boundary = str(message_from_bytes(b"Content-Type: " + content_type.encode()).get_param("boundary")).encode()
    job, _, rest = body.partition(b"\r\n\r\n")[2].partition(b"\r\n--" + boundary)
    media = rest.partition(b"\r\n\r\n")[2]
    return json.loads(job), media.rpartition(b"\r\n--" + boundary)[0]
