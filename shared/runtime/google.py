"""The Google world: the parts of Asiento on one Google Cloud project, each made when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.runtime.settings import Settings

# Adapters are imported where they are made: a door pays at start only for the clients that it uses.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from google.cloud.firestore_v1.services.firestore import FirestoreClient
    from google.cloud.pubsub_v1 import PublisherClient
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.storage import Client
    from google.pubsub_v1 import SubscriberClient

    from shared.adapters.google.casebook import GoogleCasebook
    from shared.adapters.google.documents import Documents
    from shared.adapters.google.event_bus import GoogleDeadLetters, GoogleEventBus
    from shared.adapters.google.inbox import GoogleInbox
    from shared.adapters.google.key_store import GoogleKeyStore
    from shared.adapters.google.ledger_store import GoogleLedgerStore
    from shared.adapters.google.raw_store import GoogleRawStore
    from shared.adapters.google.rejected_store import GoogleRejectedStore
    from shared.adapters.google.seal_store import GoogleSealStore
    from shared.adapters.google.secrets import GoogleSecrets
    from shared.adapters.google.warehouse import GoogleWarehouse
    from shared.pipeline.protecting import ProtectedRawStore, Protection


class GoogleParts:
    """Four buckets, a topic, a Firestore database, the datasets and the secrets of one project, named by the settings."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is opened yet."""
        self.settings = settings

    @cached_property
    def raw(self) -> "ProtectedRawStore":
        """The raw store, behind what closes personal values."""
        from shared.pipeline.protecting import ProtectedRawStore

        return ProtectedRawStore(self._raw, self.protection)

    @cached_property
    def protection(self) -> "Protection":
        """What closes personal values before they are kept."""
        from shared.runtime.protection import protection

        return protection(self.settings, lambda: self.keys)

    @cached_property
    def keys(self) -> "GoogleKeyStore":
        """The keys of people."""
        from shared.adapters.google.key_store import GoogleKeyStore

        return GoogleKeyStore(self._storage_client, self.settings.key_bucket)

    @cached_property
    def seals(self) -> "GoogleSealStore":
        """Seals and segments; nothing of it stays open."""
        from shared.adapters.google.seal_store import GoogleSealStore

        return GoogleSealStore(self._storage_client, self.settings.seal_bucket)

    @cached_property
    def rejected(self) -> "GoogleRejectedStore":
        """What the door rejected."""
        from shared.adapters.google.rejected_store import GoogleRejectedStore

        return GoogleRejectedStore(self._storage_client, self.settings.rejected_bucket)

    @cached_property
    def bus(self) -> "GoogleEventBus":
        """The bus."""
        from shared.adapters.google.event_bus import GoogleEventBus

        return GoogleEventBus(self._publisher, f"projects/{self.settings.project}/topics/{self.settings.topic}")

    @cached_property
    def dead_letters(self) -> "GoogleDeadLetters":
        """What the bus gave up."""
        from shared.adapters.google.event_bus import GoogleDeadLetters

        subscription = f"projects/{self.settings.project}/subscriptions/{self.settings.dead_letters}"
        return GoogleDeadLetters(self._subscriber, subscription, self.bus)

    @cached_property
    def ledger(self) -> "GoogleLedgerStore":
        """The ledger."""
        from shared.adapters.google.ledger_store import GoogleLedgerStore

        return GoogleLedgerStore(self._documents)

    @cached_property
    def casebook(self) -> "GoogleCasebook":
        """Reconciliation runs, differences and exceptions, in the ledger's database."""
        from shared.adapters.google.casebook import GoogleCasebook

        return GoogleCasebook(self._documents)

    @cached_property
    def warehouse(self) -> "GoogleWarehouse":
        """The warehouse."""
        from shared.adapters.google.warehouse import GoogleWarehouse, open_client

        return GoogleWarehouse(open_client(self.settings.project, self.settings.bq_location))

    @cached_property
    def inbox(self) -> "GoogleInbox | None":
        """The inbox, where the settings name its bucket."""
        from shared.adapters.google.inbox import GoogleInbox

        return GoogleInbox(self._storage_client, self.settings.inbox_bucket) if self.settings.inbox_bucket else None

    @cached_property
    def secrets(self) -> "GoogleSecrets":
        """Secrets of the project."""
        from shared.adapters.google.secrets import GoogleSecrets

        return GoogleSecrets(self._secrets_client, self.settings.project)

    def close(self) -> None:
        """Close what was opened: first the stores, which finish what is under way, then the clients beneath them."""
        for name in ("_raw", "keys", "rejected", "warehouse"):
            part = self.__dict__.pop(name, None)
            if part is not None:
                part.close()
        for name in ("seals", "bus", "dead_letters", "ledger", "casebook", "inbox", "secrets", "_documents"):
            self.__dict__.pop(name, None)
        for name in ("raw", "protection"):
            self.__dict__.pop(name, None)
        if publisher := self.__dict__.get("_publisher"):
            publisher.stop()
        for name in ("_publisher", "_subscriber", "_firestore_client", "_secrets_client"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.transport.close()
        if storage_client := self.__dict__.pop("_storage_client", None):
            storage_client.close()

    @cached_property
    def _raw(self) -> "GoogleRawStore":
        from shared.adapters.google.raw_store import GoogleRawStore

        return GoogleRawStore(self._storage_client, self.settings.raw_bucket)

    @cached_property
    def _storage_client(self) -> "Client":
        from shared.adapters.google.raw_store import open_client

        return open_client(self.settings.project)

    @cached_property
    def _publisher(self) -> "PublisherClient":
        from shared.adapters.google.event_bus import open_publisher

        return open_publisher()

    @cached_property
    def _subscriber(self) -> "SubscriberClient":
        from shared.adapters.google.event_bus import open_subscriber

        return open_subscriber()

    @cached_property
    def _firestore_client(self) -> "FirestoreClient":
        from shared.adapters.google.documents import open_client

        return open_client()

    @cached_property
    def _documents(self) -> "Documents":
        from shared.adapters.google.documents import Documents

        database = f"projects/{self.settings.project}/databases/{self.settings.firestore_database}"
        return Documents(self._firestore_client, database)

    @cached_property
    def _secrets_client(self) -> "SecretManagerServiceClient":
        from shared.adapters.google.secrets import open_client

        return open_client()
