"""Wiring: which concrete parts stand behind the ports of each verb. Doors, command line and tests all wire here."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from shared.domain.deliveries import OPERATOR, STATEMENT
from shared.domain.errors import SettingsError
from shared.ports.provider import ApiAccess, Provider, ProviderApi
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
    from shared.contracts.holding import Holding
    from shared.pipeline.decide import Deciding
    from shared.pipeline.derive import Deriving
    from shared.pipeline.erase import Erasing
    from shared.pipeline.readmit import Readmitting
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
    for name in (OPERATOR, STATEMENT):
        if name in settings.providers:
            raise SettingsError(f"{name} posts no webhooks and is always read; leave it out of ASIENTO_PROVIDERS")
    return {name: registry.load(name) for name in settings.providers}


def readers(settings: Settings) -> dict[str, Provider]:
    """Return everybody whose deliveries are read: the providers of the settings, the company's own staff, and statements."""
    return {**providers(settings), **{name: registry.load(name) for name in (OPERATOR, STATEMENT)}}


def receiving(world: Parts) -> "Receiving":
    """Wire the receiving verb."""
    from shared.pipeline.keeping import in_groups, one_by_one
    from shared.pipeline.receive import Receiving

    kept_how = in_groups if isinstance(world, EmbeddedParts) else one_by_one
    return Receiving(
        providers=providers(world.settings),
        secrets=world.secrets,
        keep=kept_how(world.raw, world.bus),
        rejected=world.rejected,
        new_delivery_id=new_delivery_id,
    )


def readmitting(world: Parts) -> "Readmitting":
    """Wire the readmitting of what the door rejected."""
    from shared.pipeline.readmit import Readmitting

    return Readmitting(
        providers=providers(world.settings),
        secrets=world.secrets,
        raw=world.raw,
        rejected=world.rejected,
        bus=world.bus,
    )


def taking_in(world: Parts) -> "TakingIn":
    """Wire the taking in of files."""
    from shared.pipeline.take_in import TakingIn, nothing_travels

    whose = {**providers(world.settings), STATEMENT: registry.load(STATEMENT)}

    def travelling(provider: str, file_name: str, mapping: str) -> Mapping[str, str]:
        headers_of = whose[provider].file_headers
        if headers_of is None:
            return nothing_travels(provider, file_name, mapping)
        return headers_of(file_name, mapping, world.inbox.mappings() if world.inbox else {})

    return TakingIn(
        providers=frozenset(whose),
        raw=world.raw,
        bus=world.bus,
        new_delivery_id=new_delivery_id,
        travelling=travelling,
    )


def deciding(world: Parts) -> "Deciding":
    """Wire the taking of decisions."""
    from shared.pipeline.decide import Deciding
    from shared.providers.operator.signature import sign

    return Deciding(
        operator=registry.load(OPERATOR),
        sign=sign,
        secrets=world.secrets,
        casebook=world.casebook,
        ledger=world.ledger,
        raw=world.raw,
        bus=world.bus,
        new_delivery_id=new_delivery_id,
    )


def erasing(world: Parts) -> "Erasing":
    """Wire the erasing of people."""
    from shared.pipeline.erase import Erasing

    return Erasing(deciding=deciding(world), protection=world.protection, raw=world.raw, rejected=world.rejected)


def deriving(world: Parts) -> "Deriving":
    """Wire the deriving verb."""
    from shared.pipeline.derive import Deriving

    return Deriving(
        providers=readers(world.settings),
        raw=world.raw,
        ledger=world.ledger,
        code_version=world.settings.version,
        contracts=_contracts(),
    )


def deriving_into(source: Parts, target: Parts) -> "Deriving":
    """Wire a replay of one world's raw store into another world's ledger."""
    return replace(deriving(target), raw=source.raw, providers=readers(source.settings))


@contextmanager
def reconciling(world: Parts) -> Iterator["Reconciling"]:
    """Wire the reconciling verb, with the API of every provider whose address is configured; close them at the end."""
    from shared.pipeline.reconcile import Counterparty, Reconciling
    from shared.pipeline.take_in import Intake

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
            dead_letters=world.dead_letters,
            code_version=world.settings.version,
            intake=Intake(world.inbox, taking_in(world)) if world.inbox else None,
            readers=readers(world.settings),
            contracts=_contracts(),
            rejected=world.rejected,
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
        seals=world.seals,
    )


def tracing(world: Parts) -> "Tracing":
    """Wire the way back from a number to its bytes."""
    from shared.pipeline.trace import Tracing

    return Tracing(
        warehouse=world.warehouse,
        ledger=world.ledger,
        raw=world.raw,
        providers=readers(world.settings),
        secrets=world.secrets,
        restored=world.protection.restored,
    )


def sealing(world: Parts) -> "Sealing":
    """Wire the sealing of closed hours."""
    from shared.pipeline.seal import Sealing

    return Sealing(raw=world.raw, seals=world.seals, code_version=world.settings.version)


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
            seals=world.seals,
            ledger=world.ledger,
            empty_ledger=empty_ledger,
            warehouse=world.warehouse,
            providers=readers(world.settings),
            secrets=world.secrets,
            code_version=world.settings.version,
            contracts=_contracts(),
            restored=world.protection.restored,
        )


def _contracts() -> "Holding":
    from shared.contracts.holding import Holding

    return Holding(_opened)


def _opened(body: bytes) -> Mapping[str, Any]:
    # What opens bodies is imported with the first one that needs it.
    from shared.providers.toolkit.compression import opened_object

    return opened_object(body)


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
