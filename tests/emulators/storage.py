"""Cloud Storage's JSON API over HTTP: uploads in three forms, preconditions, checksums, metadata and listings.

Faithful where Asiento leans on it: an object is created only if the generation asked for matches, a checksum that comes
with an upload is held against the bytes, a listing is in the order of the names' bytes and comes in pages.
"""

import base64
import hashlib
import json
import struct
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from tests.emulators.faults import Fault, Faults

PAGE_SIZE = 1000
Query = Mapping[str, str]


class HttpError(Exception):
    """An answer that is not success, in the service's JSON form."""

    def __init__(self, status: int, reason: str) -> None:
        """Name the status and what the service would say."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One generation of an object: bytes and resource."""

    body: bytes
    resource: dict[str, Any]


@dataclass(slots=True)
class Buckets:
    """What the service holds, behind one lock: every request is atomic."""

    objects: dict[str, dict[str, StoredObject]] = field(default_factory=lambda: defaultdict(dict))
    delete_refused: set[str] = field(default_factory=set)
    """Buckets under a retention policy: deleting or replacing an object is refused."""
    page_size: int = PAGE_SIZE
    lock: Lock = field(default_factory=Lock)
    generations: "count[int]" = field(default_factory=lambda: count(1_700_000_000_000_000))

    def create(self, bucket: str, resource: dict[str, Any], body: bytes, query: Query) -> dict[str, Any]:
        """Write an object under its preconditions and checksums; return its resource."""
        name = str(resource["name"])
        with self.lock:
            there = self.objects[bucket].get(name)
            _check_generation(there, query)
            if there is not None and bucket in self.delete_refused:
                raise HttpError(403, f"object {name} is under a retention policy")
            checksums = _checksums(body)
            for algorithm, digest in checksums.items():
                if resource.get(algorithm, digest) != digest:
                    raise HttpError(400, f"provided {algorithm} {resource[algorithm]} does not match {digest}")
            stored = {
                **resource,
                **checksums,
                "kind": "storage#object",
                "bucket": bucket,
                "size": str(len(body)),
                "generation": str(next(self.generations)),
                "metageneration": "1",
            }
            self.objects[bucket][name] = StoredObject(body, stored)
            return stored

    def get(self, bucket: str, name: str) -> StoredObject:
        """Return an object, or answer 404."""
        with self.lock:
            found = self.objects[bucket].get(name)
        if found is None:
            raise HttpError(404, f"no such object: {bucket}/{name}")
        return found

    def delete(self, bucket: str, name: str, query: Query) -> None:
        """Delete an object, unless the bucket is under retention."""
        with self.lock:
            there = self.objects[bucket].get(name)
            if there is None:
                raise HttpError(404, f"no such object: {bucket}/{name}")
            _check_generation(there, query)
            if bucket in self.delete_refused:
                raise HttpError(403, f"object {name} is under a retention policy")
            del self.objects[bucket][name]

    def listing(self, bucket: str, query: Query) -> dict[str, Any]:
        """Return one page of the names between the offsets, in the order of their UTF-8 bytes."""
        prefix, start, end = (query.get(name, "").encode() for name in ("prefix", "startOffset", "endOffset"))
        after = base64.b64decode(query.get("pageToken", ""))
        limit = int(query.get("maxResults", self.page_size))
        with self.lock:
            names = sorted(
                name
                for name in (each.encode() for each in self.objects[bucket])
                if name.startswith(prefix) and name >= start and (not end or name < end) and name > after
            )
            items = [self.objects[bucket][name.decode()].resource for name in names[:limit]]
        page: dict[str, Any] = {"kind": "storage#objects", "items": items}
        if len(names) > limit:
            page["nextPageToken"] = base64.b64encode(names[limit - 1]).decode()
        return page


class StorageEmulator:
    """The server: `with StorageEmulator() as storage:` answers at `storage.url`."""

    def __init__(self) -> None:
        """Bind a free port; nothing is served before the block is entered."""
        self.faults = Faults()
        self.buckets = Buckets()
        emulator = self

        class Handler(_Handler):
            faults = emulator.faults
            buckets = emulator.buckets
            uploads: dict[str, tuple[str, dict[str, Any], dict[str, str], bytes]] = {}  # noqa: RUF012 one server, one class

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

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
    """One connection, kept alive. Paths and forms as the service documents them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faults: Faults
    buckets: Buckets
    uploads: dict[str, tuple[str, dict[str, Any], dict[str, str], bytes]]

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def log_message(self, *_: object) -> None:
        """Say nothing: tests read answers, not logs."""

    def _answer(self, handle: Any) -> None:
        """Read the request, apply the planned fault, and answer, or let the answer be lost."""
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.fault = self.faults.on_call(self._method_name())
        try:
            _fail_as_planned(self.fault)
            status, headers, body = handle()
        except HttpError as error:
            told = {"error": {"code": error.status, "message": str(error)}}
            status, headers, body = error.status, {"Content-Type": "application/json"}, json.dumps(told).encode()
        if self.fault is Fault.ANSWER_LOST:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _method_name(self) -> str:
        """Return the operation's name as the service's documentation and price list call it."""
        if self.parts[0] == "upload":
            return "objects.insert"
        if "rewriteTo" in self.parts:
            return "objects.rewrite"
        if self.command == "DELETE":
            return "objects.delete"
        if self.query.get("alt") == "media":
            return "objects.get_media"
        if self.command != "GET":
            return "buckets.insert"
        return {4: "buckets.get", 5: "objects.list"}.get(len(self.parts), "objects.get")

    def _get(self) -> tuple[int, dict[str, str], bytes]:
        bucket, name = _target(self.parts)
        if not name:
            return _json(self.buckets.listing(bucket, self.query))
        found = self.buckets.get(bucket, name)
        if self.query.get("generation", found.resource["generation"]) != found.resource["generation"]:
            raise HttpError(404, f"no such generation of {bucket}/{name}")
        if self.query.get("alt") != "media":
            return _json(found.resource)
        hashes = f"crc32c={found.resource['crc32c']},md5={found.resource['md5Hash']}"
        headers = {
            "Content-Type": found.resource.get("contentType", "application/octet-stream"),
            "X-Goog-Hash": hashes,
            "X-Goog-Generation": found.resource["generation"],
        }
        return 200, headers, self._carried(found.body)

    def _post(self) -> tuple[int, dict[str, str], bytes]:
        if "rewriteTo" in self.parts:
            return self._rewrite()
        if self.parts[0] != "upload":
            return _json({"name": json.loads(self.body)["name"], "kind": "storage#bucket"})
        bucket, _ = _target(self.parts[1:])
        form = self.query["uploadType"]
        if form == "resumable":
            upload_id = f"upload-{next(self.buckets.generations)}"
            resource = {"name": self.query.get("name"), **json.loads(self.body or b"{}")}
            self.uploads[upload_id] = (bucket, resource, dict(self.query), b"")
            host = self.headers["Host"]
            where = f"http://{host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
            return 200, {"Location": where, "X-GUploader-UploadID": upload_id}, b""
        if form == "media":
            resource, body = {"name": self.query["name"]}, self.body
        else:
            resource, body = _multipart(self.headers["Content-Type"], self.body)
        return _json(self.buckets.create(bucket, resource, self._carried(body), self.query))

    def _put(self) -> tuple[int, dict[str, str], bytes]:
        """Take one chunk of a resumable upload; the last one makes the object."""
        upload_id = self.query["upload_id"]
        if upload_id not in self.uploads:
            raise HttpError(404, f"no such upload: {upload_id}")
        bucket, resource, query, so_far = self.uploads[upload_id]
        span, _, total = self.headers["Content-Range"].removeprefix("bytes ").partition("/")
        if span != "*":
            so_far = so_far[: int(span.partition("-")[0])] + self._carried(self.body)
        self.uploads[upload_id] = (bucket, resource, query, so_far)
        if total == "*" or len(so_far) < int(total):
            return 308, {"Range": f"bytes=0-{len(so_far) - 1}"} if so_far else {}, b""
        return _json(self.buckets.create(bucket, resource, so_far, query))

    def _rewrite(self) -> tuple[int, dict[str, str], bytes]:
        """Copy an object under another name, in one go."""
        at = self.parts.index("rewriteTo")
        found = self.buckets.get(*_target(self.parts[:at]))
        if self.query.get("sourceGeneration", found.resource["generation"]) != found.resource["generation"]:
            raise HttpError(404, "no such generation")
        bucket, name = _target(self.parts[at + 1 :])
        made = self.buckets.create(bucket, {**json.loads(self.body or b"{}"), "name": name}, found.body, self.query)
        size = str(len(found.body))
        told = {"kind": "storage#rewriteResponse", "done": True, "resource": made}
        return _json({**told, "totalBytesRewritten": size, "objectSize": size})

    def _delete(self) -> tuple[int, dict[str, str], bytes]:
        self.buckets.delete(*_target(self.parts), self.query)
        return 204, {}, b""

    def _carried(self, body: bytes) -> bytes:
        """Return the bytes as they arrive at the other end."""
        return bytes([body[0] ^ 1]) + body[1:] if self.fault is Fault.BYTES_FLIPPED and body else body


def _fail_as_planned(fault: Fault | None) -> None:
    if fault is not None and fault not in (Fault.ANSWER_LOST, Fault.BYTES_FLIPPED):
        raise HttpError(fault.http_status, fault.name)


def _target(parts: list[str]) -> tuple[str, str]:
    """Split `[download/]storage/v1/b/BUCKET/o/OBJECT` into bucket and object name (empty where there is none)."""
    at = parts.index("b") + 1
    return parts[at], parts[at + 2] if len(parts) > at + 2 else ""


def _json(told: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Split a multipart/related upload into the resource and the bytes, exactly."""
    boundary = message_from_bytes(b"Content-Type: " + content_type.encode()).get_param("boundary")
    _, metadata, media, _ = body.split(b"--" + str(boundary).encode())
    resource = json.loads(metadata.partition(b"\r\n\r\n")[2])
    head, _, content = media.partition(b"\r\n\r\n")
    resource.setdefault("contentType", head.partition(b"content-type: ")[2].partition(b"\r\n")[0].decode())
    return resource, content.removesuffix(b"\r\n")


def _checksums(body: bytes) -> dict[str, str]:
    crc32c = base64.b64encode(struct.pack(">I", google_crc32c.value(body))).decode()
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return {"crc32c": crc32c, "md5Hash": md5}


def _check_generation(there: StoredObject | None, query: Query) -> None:
    wanted = query.get("ifGenerationMatch")
    current = there.resource["generation"] if there else "0"
    if wanted is not None and wanted != current:
        raise HttpError(412, f"generation is {current}, not {wanted}")
