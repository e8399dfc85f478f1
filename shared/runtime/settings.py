"""Settings come from ASIENTO_* variables. An unknown one is refused, a missing one names itself."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

from shared.domain.errors import SettingsError

# Plain Python: `receive` would import a library of models for this alone, and half of what its start costs beyond its clients.

PREFIX = "ASIENTO_"
_SECRET_PREFIX = "ASIENTO_SECRET_"  # noqa: S105  the name of a family of variables, not a secret
_API_URL_PREFIX = "ASIENTO_API_URL_"
_NEEDED_ON_GOOGLE = ("project", "raw_bucket", "rejected_bucket", "key_bucket", "seal_bucket", "bq_location")
_SHARED = Path(__file__).resolve().parent.parent


class WorldName(StrEnum):
    """Which adapters stand behind the ports."""

    EMBEDDED = "embedded"
    GOOGLE = "google"


LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
"""The least grave lines that are written."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be configured, with safe defaults for one machine."""

    world: WorldName = WorldName.EMBEDDED
    home: Path = Path(".asiento")
    """Embedded: the folder that holds everything."""
    providers: tuple[str, ...] = ("betterez", "stripe", "mercadopago")
    api_urls: Mapping[str, str] = field(default_factory=dict)
    """Provider to the base address of its API, from ASIENTO_API_URL_<PROVIDER>; needed where reconcile asks it."""
    log_level: LogLevel = "info"
    code_version: str = ""
    """What derived and certified; defaults to a digest of the code itself."""

    project: str = ""
    """Google: the project that holds everything. What follows are names in it."""
    raw_bucket: str = ""
    rejected_bucket: str = ""
    key_bucket: str = ""
    seal_bucket: str = ""
    topic: str = "deliveries"
    dead_letters: str = "dead-letters"
    """Google: the subscription in which announcements wait that were given up."""
    firestore_database: str = "(default)"
    inbox_bucket: str = ""
    """Google: where files are dropped; none is looked for where it is empty."""
    bq_location: str = ""
    """Google: where BigQuery runs jobs, as its datasets were made."""

    def __post_init__(self) -> None:
        """Raise SettingsError naming what the named world lacks."""
        missing = [_variable(name) for name in _NEEDED_ON_GOOGLE if not getattr(self, name)]
        if self.world is WorldName.GOOGLE and missing:
            raise SettingsError(f"{PREFIX}WORLD=google also needs {', '.join(missing)}; set each of them")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read ASIENTO_* variables; raise SettingsError naming what is unknown or wrong."""
        api_urls: dict[str, str] = {}
        given: dict[str, Any] = {}
        faults: list[str] = []
        for variable, text in environ.items():
            name = variable.removeprefix(PREFIX).lower()
            if variable.startswith(_API_URL_PREFIX):
                api_urls[variable.removeprefix(_API_URL_PREFIX).lower()] = text
            elif variable.startswith(PREFIX) and not variable.startswith(_SECRET_PREFIX):
                if name in VARIABLES:
                    try:
                        given[name] = _READERS.get(name, str)(text)
                    except ValueError as wrong:
                        faults.append(f"{variable}: {wrong}")
                else:
                    faults.append(f"{variable} is no setting")
        if faults:
            raise SettingsError(f"{'; '.join(faults)}. Known settings: {', '.join(map(_variable, VARIABLES))}")
        return cls(**given, api_urls=api_urls)

    @property
    def version(self) -> str:
        """Return the code version that outcomes and certificates name."""
        return self.code_version or _code_digest()


VARIABLES = tuple(each.name for each in fields(Settings) if each.name != "api_urls")
"""The settings that are a variable each."""


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return read


def _world(text: str) -> WorldName:
    return WorldName(_one_of(tuple(WorldName))(text))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_READERS: Mapping[str, Callable[[str], object]] = {
    "world": _world,
    "home": Path,
    "providers": _listed,
    "log_level": _one_of(get_args(LogLevel)),
}
"""How the settings are read that are more than a text."""


@cache
def _code_digest() -> str:
    """Return a short digest of code, SQL and contracts under shared/: the same code has the same version everywhere."""
    digest = hashlib.sha256()
    for path in sorted(path for kind in ("*.py", "*.sql", "*.yaml") for path in _SHARED.rglob(kind)):
        digest.update(path.relative_to(_SHARED).as_posix().encode())
        digest.update(path.read_bytes())
    return f"code-{digest.hexdigest()[:12]}"
