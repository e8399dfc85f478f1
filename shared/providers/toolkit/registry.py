"""The registry: a provider is known because its folder is there."""

import pkgutil
from functools import cache
from importlib import import_module

import shared.providers
from shared.domain.errors import SettingsError
from shared.ports.provider import Provider

_NOT_A_PROVIDER = "toolkit"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all providers, in order."""
    folders = pkgutil.iter_modules(shared.providers.__path__)
    return tuple(sorted(folder.name for folder in folders if folder.ispkg and folder.name != _NOT_A_PROVIDER))


@cache
def load(name: str) -> Provider:
    """Return a provider by name; raise SettingsError naming the known ones. Only that provider is imported."""
    if name not in names():
        raise SettingsError(f"there is no provider {name[:64]!r}; known are {', '.join(names())}")
    provider: Provider = import_module(f"{shared.providers.__name__}.{name}").PROVIDER
    if provider.name != name:
        raise SettingsError(f"the provider in folder {name} calls itself {provider.name}; give both the same name")
    return provider
