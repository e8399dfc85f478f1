"""Which fields of whom are closed before they are kept: those that each provider of the settings declares."""

from collections.abc import Callable

from shared.pipeline.protecting import Protection
from shared.ports.key_store import KeyStore
from shared.providers.toolkit import registry
from shared.runtime.settings import Settings


def protection(settings: Settings, open_keys: Callable[[], KeyStore]) -> Protection:
    """Return the protection of a world; its key store is opened with the first personal value."""
    personal = {name: registry.load(name).personal for name in settings.providers}
    return Protection({name: fields for name, fields in personal.items() if fields is not None}, open_keys)
