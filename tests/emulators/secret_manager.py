"""Secret Manager's google.cloud.secretmanager.v1 over gRPC: versions that are added, listed, accessed and disabled."""

from threading import Lock
from typing import Any

import google_crc32c
import grpc
from google.cloud.secretmanager_v1 import types

from tests.emulators.grpc_server import GrpcEmulator, Method, RpcRefused

_State = types.SecretVersion.State


class SecretManagerEmulator(GrpcEmulator):
    """The server."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._lock = Lock()
        self._secrets: dict[str, list[Any]] = {}
        self._payloads: dict[str, bytes] = {}
        version = types.SecretVersion.pb()
        methods = {
            "CreateSecret": Method(types.CreateSecretRequest.pb(), types.Secret.pb(), self._create),
            "AddSecretVersion": Method(types.AddSecretVersionRequest.pb(), version, self._add),
            "DisableSecretVersion": Method(types.DisableSecretVersionRequest.pb(), version, self._disable),
            "ListSecretVersions": Method(
                types.ListSecretVersionsRequest.pb(), types.ListSecretVersionsResponse.pb(), self._list
            ),
            "AccessSecretVersion": Method(
                types.AccessSecretVersionRequest.pb(), types.AccessSecretVersionResponse.pb(), self._access
            ),
        }
        super().__init__({"google.cloud.secretmanager.v1.SecretManagerService": methods})

    def _create(self, request: Any) -> Any:
        name = f"{request.parent}/secrets/{request.secret_id}"
        with self._lock:
            if name in self._secrets:
                raise RpcRefused(grpc.StatusCode.ALREADY_EXISTS, f"Secret [{name}] already exists.")
            self._secrets[name] = []
        return types.Secret.pb()(name=name)

    def _add(self, request: Any) -> Any:
        with self._lock:
            versions = self._versions(request.parent)
            added = types.SecretVersion.pb()(
                name=f"{request.parent}/versions/{len(versions) + 1}", state=_State.ENABLED
            )
            versions.append(added)
            self._payloads[added.name] = request.payload.data
        return added

    def _disable(self, request: Any) -> Any:
        with self._lock:
            found = self._version(request.name)
            found.state = _State.DISABLED
        return found

    def _list(self, request: Any) -> Any:
        if request.filter not in ("", "state:ENABLED"):
            raise RpcRefused(
                grpc.StatusCode.INVALID_ARGUMENT, f"this emulator does not know the filter {request.filter}"
            )
        with self._lock:
            newest_first = reversed(self._versions(request.parent))
            wanted = [each for each in newest_first if not request.filter or each.state == _State.ENABLED]
        start, size = int(request.page_token or 0), request.page_size or 100
        more = str(start + size) if len(wanted) > start + size else ""
        return types.ListSecretVersionsResponse.pb()(
            versions=wanted[start : start + size], next_page_token=more, total_size=len(wanted)
        )

    def _access(self, request: Any) -> Any:
        with self._lock:
            found = self._version(request.name)
            if found.state != _State.ENABLED:
                raise RpcRefused(
                    grpc.StatusCode.FAILED_PRECONDITION, f"Secret Version [{found.name}] is in DISABLED state."
                )
            data = self._payloads[found.name]
        payload = types.SecretPayload.pb()(data=data, data_crc32c=google_crc32c.value(data))
        return types.AccessSecretVersionResponse.pb()(name=found.name, payload=payload)

    def _versions(self, secret: str) -> list[Any]:
        if secret not in self._secrets:
            raise RpcRefused(grpc.StatusCode.NOT_FOUND, f"Secret [{secret}] not found.")
        return self._secrets[secret]

    def _version(self, name: str) -> Any:
        """Return a version by its name; `latest` is the newest enabled one."""
        secret, _, number = name.partition("/versions/")
        for each in reversed(self._versions(secret)):
            if each.name == name or (number == "latest" and each.state == _State.ENABLED):
                return each
        raise RpcRefused(grpc.StatusCode.NOT_FOUND, f"Secret Version [{name}] not found.")
