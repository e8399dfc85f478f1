"""Secrets from Secret Manager: the two newest enabled versions of each, remembered, and read again when one fails.

A wrong signature makes the door ask for a refresh, so whoever posts rubbish could make it call Secret Manager for every
request: a refresh within `refresh_every_s` of the last one returns what is remembered. What is remembered is read again
after `remember_s` in any case, so that a version that was disabled stops being accepted.
"""

import os
import re
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from time import monotonic

import grpc
from google.api_core.exceptions import NotFound
from google.cloud.secretmanager_v1 import ListSecretVersionsRequest, SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from shared.adapters.google.calls import Patience, google_errors
from shared.domain.errors import SettingsError

LIVE_VERSIONS_MAX = 2
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ROLE = "the custom role secret_reader (list and access versions) on the secret"


def open_client() -> SecretManagerServiceClient:
    """Open a Secret Manager client.

    Where SECRET_MANAGER_EMULATOR_HOST is set it calls that address, without credentials. The variable is ours: Google has
    no emulator of this service.
    """
    with google_errors("opening Secret Manager", "a service account"):
        emulator = os.environ.get("SECRET_MANAGER_EMULATOR_HOST")
        if emulator:
            channel = grpc.insecure_channel(emulator)
            return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        return SecretManagerServiceClient()


@dataclass(frozen=True, slots=True)
class _Remembered:
    values: tuple[str, ...]
    read_at_s: float


class GoogleSecrets:
    """Secrets of one project."""

    def __init__(
        self,
        client: SecretManagerServiceClient,
        project: str,
        patience: Patience | None = None,
        refresh_every_s: float = 30.0,
        remember_s: float = 600.0,
    ) -> None:
        """Take the project that holds the secrets."""
        self._client = client
        self._project = project
        self._patience = patience or Patience()
        self._refresh_every_s = refresh_every_s
        self._remember_s = remember_s
        self._remembered: dict[str, _Remembered] = {}
        self._lock = Lock()

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the live versions, newest first."""
        return self._younger_than(self._remember_s, name)

    def refresh(self, name: str) -> tuple[str, ...]:
        """Read the versions again, unless that was done a moment ago."""
        return self._younger_than(self._refresh_every_s, name)

    def _younger_than(self, age_s: float, name: str) -> tuple[str, ...]:
        with self._lock:  # one reader asks, the others wait for its answer
            remembered = self._remembered.get(name)
            if remembered is None or monotonic() - remembered.read_at_s >= age_s:
                remembered = self._remembered[name] = _Remembered(self._read(name), monotonic())
            return remembered.values

    def _read(self, name: str) -> tuple[str, ...]:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{name!r} is no secret name; use lower-case letters, digits and dashes")
        secret = f"projects/{self._project}/secrets/{name}"
        with google_errors(f"reading {secret}", _ROLE):
            try:
                # Secret Manager lists versions newest first.
                enabled = self._client.list_secret_versions(
                    ListSecretVersionsRequest(parent=secret, filter="state:ENABLED", page_size=LIVE_VERSIONS_MAX),
                    retry=self._patience.retry(),
                    timeout=self._patience.try_s_max,
                )
                return tuple(self._value(version.name) for version in islice(enabled, LIVE_VERSIONS_MAX))
            except NotFound:
                return ()

    def _value(self, version: str) -> str:
        answer = self._client.access_secret_version(
            name=version, retry=self._patience.retry(), timeout=self._patience.try_s_max
        )
        return answer.payload.data.decode().strip()
