"""Home folders of a demonstration: made anew, wired to the simulated providers, and closed again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from local.line import secrets_folder
from local.simulator import API_SECRETS, ApiServer, Secrets
from shared.domain.errors import SettingsError
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.settings import Settings

PROVIDERS = ("betterez", "stripe", "mercadopago")
_OURS = ("raw.db", "rejected.db", "bus.db", "ledger.db", "cases.db", "warehouse.duckdb")


def new_keys() -> Secrets:
    """Return a fresh signing key for every provider of the simulation."""
    return {provider: token_hex(16) for provider in PROVIDERS}


def empty_home(home: Path, *, is_fresh: bool) -> None:
    """Make an empty home folder; raises SettingsError if it holds data that nobody said may go."""
    held = [name for name in _OURS if (home / name).exists()]
    if held and not is_fresh:
        raise SettingsError(
            f"{home} already holds {', '.join(held)}; name another --home, or add --fresh to start it anew"
        )
    for name in held:
        for path in home.glob(f"{name}*"):
            path.unlink()
    for folder in ("secrets", "seals"):
        shutil.rmtree(home / folder, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)


@contextmanager
def opened(home: Path, keys: Secrets, apis: ApiServer | None = None) -> Iterator[EmbeddedParts]:
    """Open an embedded world in a home folder, with the keys and the simulated APIs; close it at the end."""
    secrets_folder(home, keys, API_SECRETS)
    api_urls = {provider: apis.base_url(provider) for provider in PROVIDERS} if apis else {}
    # What goes wrong in the season is meant to, and its end tells what became of it.
    parts = wiring.embedded(Settings(home=home, providers=PROVIDERS, api_urls=api_urls, log_level="critical"))
    try:
        yield parts
    finally:
        parts.close()
