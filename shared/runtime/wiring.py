"""Wiring: which concrete parts stand behind the ports of each verb. Doors, command line and tests all wire here."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from shared.domain.errors import SettingsError
from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.ports.seal_store import SealStore
from shared.providers.toolkit import registry
from shared.runtime import logs
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.google import GoogleParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.parts import Parts
from shared.runtime.settings import Settings, WorldName
from shared.runtime.system_clock import SystemClock

# A verb is imported where it is wired: each door starts with its own verb and no other.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from shared.pipeline.derive import Deriving
    from shared.pipeline.rebuild_bi import Rebuilding
    from shared.pipeline.receive import Receiving
    from shared.pipeline.reconcile import Reconciling
    from shared.pipeline.seal import Sealing
    from shared.pipeline.take_in import TakingIn
    from shared.pipeline.trace import Tracing
    from shared.pipeline.verify import Verifying


def parts(settings: Settings) -> Parts:
    """Return the parts of the world that the settings name, with logging set up for it."""
    if settings.world is WorldName.EMBEDDED:
        return embedded(settings)
    logs.configure(level=settings.log_level, as_json=True)
    return GoogleParts(settings)


def embedded(settings: Settings) -> EmbeddedParts:
    """Return the parts on this machine, for those who need this world; raises SettingsError if another one is named."""
    if settings.world is not WorldName.EMBEDDED:
        raise SettingsError(f"this runs on one machine, not with ASIENTO_WORLD={settings.world.value}; unset it")
    logs.configure(level=settings.log_level, as_json=False)
    return EmbeddedParts(settings)


def providers(settings: Settings) -> dict[str, Provider]:
    """Return the providers that the settings name; raises SettingsError for one that there is no folder for."""
    return {name: registry.load(name) for name in settings.providers}


def receiving(world: Parts) -> "Receiving":
    """Wire the receiving verb."""
    from shared.pipeline.receive import Receiving

    return Receiving(
        providers=providers(world.settings),
        secrets=world.secrets,
        raw=world.raw,
        rejected=world.rejected,
        bus=world.bus,
        new_delivery_id=new_delivery_id,
    )


def taking_in(world: Parts) -> "TakingIn":
    """Wire the taking in of files."""
    from shared.pipeline.take_in import TakingIn

    return TakingIn(
        providers=frozenset(world.settings.providers), raw=world.raw, bus=world.bus, new_delivery_id=new_delivery_id
    )


def deriving(world: Parts) -> "Deriving":
    """Wire the deriving verb."""
    from shared.pipeline.derive import Deriving

    return Deriving(
        providers=providers(world.settings),
        raw=world.raw,
        ledger=world.ledger,
        code_version=world.settings.version,
    )


def deriving_into(source: Parts, target: Parts) -> "Deriving":
    """Wire a replay of one world's raw store into another world's ledger."""
    return replace(deriving(target), raw=source.raw, providers=providers(source.settings))


@contextmanager
def reconciling(world: Parts) -> Iterator["Reconciling"]:
    """Wire the reconciling verb, with the API of every provider whose address is configured; close them at the end."""
    from shared.pipeline.reconcile import Counterparty, Reconciling

    with ExitStack() as stack:
        counterparties = {
            name: Counterparty(provider.capabilities, stack.enter_context(closing(provider_api(world, name))))
            for name, provider in providers(world.settings).items()
            if name in world.settings.api_urls
        }
        yield Reconciling(
            counterparties=counterparties,
            raw=world.raw,
            bus=world.bus,
            ledger=world.ledger,
            casebook=world.casebook,
            clock=SystemClock(),
            new_delivery_id=new_delivery_id,
            new_run_id=new_delivery_id,
            providers=world.settings.providers,
        )


def rebuilding(world: Parts) -> "Rebuilding":
    """Wire the rebuilding verb."""
    from shared.pipeline.rebuild_bi import Rebuilding

    return Rebuilding(
        raw=world.raw,
        ledger=world.ledger,
        casebook=world.casebook,
        warehouse=world.warehouse,
        code_version=world.settings.version,
    )


def tracing(world: Parts) -> "Tracing":
    """Wire the way back from a number to its bytes."""
    from shared.pipeline.trace import Tracing

    return Tracing(
        warehouse=world.warehouse,
        ledger=world.ledger,
        raw=world.raw,
        providers=providers(world.settings),
        secrets=world.secrets,
    )


def sealing(world: Parts) -> "Sealing":
    """Wire the sealing of closed hours; raises SettingsError where there is no seal store."""
    from shared.pipeline.seal import Sealing

    return Sealing(raw=world.raw, seals=_seals(world), code_version=world.settings.version)


@contextmanager
def verifying(world: Parts) -> Iterator["Verifying"]:
    """Wire the verifying of everything, with an empty ledger to replay into that is gone at the end."""
    from shared.adapters.embedded.ledger_store import SqliteLedgerStore
    from shared.adapters.embedded.sqlite import Durability
    from shared.pipeline.verify import Verifying

    with (
        TemporaryDirectory(prefix="asiento-") as folder,
        closing(SqliteLedgerStore(Path(folder) / "ledger.db", Durability.NORMAL)) as empty_ledger,
    ):
        yield Verifying(
            raw=world.raw,
            seals=_seals(world),
            ledger=world.ledger,
            empty_ledger=empty_ledger,
            warehouse=world.warehouse,
            providers=providers(world.settings),
            secrets=world.secrets,
            code_version=world.settings.version,
        )


def _seals(world: Parts) -> SealStore:
    if isinstance(world, EmbeddedParts):
        return world.seals
    raise SettingsError("seals are kept on one machine only, not yet on Google Cloud; unset ASIENTO_WORLD")


def provider_api(world: Parts, name: str) -> ProviderApi:
    """Open a provider's API; raises SettingsError naming what is missing: its address, or its credentials."""
    provider = registry.load(name)
    base_url = world.settings.api_urls.get(name)
    credentials = world.secrets.versions(f"{name}-api")
    if provider.open_api is None:
        raise SettingsError(f"{name} has no API; leave it out of reconcile")
    if not base_url:
        raise SettingsError(f"set ASIENTO_API_URL_{name.upper()} to the base address of the API of {name}")
    if not credentials:
        raise SettingsError(f"there is no secret {name}-api; add it (see docs/providers/{name}.md)")
    return provider.open_api(ApiAccess(base_url, credentials[0]))
