"""Which fields of whom are closed before they are kept: those that each provider of the settings declares."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.personal import PersonalFields
from shared.pipeline.protecting import Protection
from shared.ports.key_store import KeyStore
from shared.providers.toolkit import registry
from shared.runtime.settings import Settings


def protection(settings: Settings, open_keys: Callable[[], KeyStore]) -> Protection:
    """Return the protection of a world; its key store is opened with the first personal value."""
    return Protection(_Declared(settings.providers), open_keys)


@dataclass(slots=True)
class _Declared(Mapping[str, PersonalFields]):
    """The personal fields by provider. A provider is loaded when something of it is kept: who only reads loads none."""

    providers: tuple[str, ...]
    _loaded: dict[str, PersonalFields] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> PersonalFields:
        if name in self.providers and name not in self._asked:
            self._asked.add(name)
            fields = registry.load(name).personal
            if fields is not None:
                self._loaded[name] = fields
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.providers if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
