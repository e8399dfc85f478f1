"""Settings come from ASIENTO_* variables. An unknown one is refused, a missing one names itself."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from shared.domain.errors import SettingsError

PREFIX = "ASIENTO_"
_SECRET_PREFIX = "ASIENTO_SECRET_"  # noqa: S105  the name of a family of variables, not a secret
_API_URL_PREFIX = "ASIENTO_API_URL_"
_NEEDED_ON_GOOGLE = ("project", "raw_bucket", "rejected_bucket", "key_bucket", "seal_bucket", "bq_location")
_SHARED = Path(__file__).resolve().parent.parent


class WorldName(StrEnum):
    """Which adapters stand behind the ports."""

    EMBEDDED = "embedded"
    GOOGLE = "google"


class Settings(BaseModel):
    """All that can be configured, with safe defaults for one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    world: WorldName = WorldName.EMBEDDED
    home: Path = Path(".asiento")
    """Embedded: the folder that holds everything."""
    providers: tuple[str, ...] = ("betterez", "stripe", "mercadopago")
    api_urls: Mapping[str, str] = {}
    """Provider to the base address of its API, from ASIENTO_API_URL_<PROVIDER>; needed where reconcile asks it."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
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

    @model_validator(mode="after")
    def _name_what_is_missing(self) -> Self:
        missing = [f"{PREFIX}{name.upper()}" for name in _NEEDED_ON_GOOGLE if not getattr(self, name)]
        if self.world is WorldName.GOOGLE and missing:
            raise SettingsError(f"{PREFIX}WORLD=google also needs {', '.join(missing)}; set each of them")
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read ASIENTO_* variables; raise SettingsError naming what is unknown or wrong."""
        given: dict[str, object] = {}
        api_urls: dict[str, str] = {}
        for variable, value in environ.items():
            if variable.startswith(_API_URL_PREFIX):
                api_urls[variable.removeprefix(_API_URL_PREFIX).lower()] = value
            elif variable.startswith(PREFIX) and not variable.startswith(_SECRET_PREFIX):
                given[variable.removeprefix(PREFIX).lower()] = value
        if isinstance(listed := given.get("providers"), str):
            given["providers"] = tuple(name.strip() for name in listed.split(",") if name.strip())
        try:
            return cls.model_validate({**given, "api_urls": api_urls})
        except ValidationError as invalid:
            faults = "; ".join(
                f"{PREFIX}{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in invalid.errors()
            )
            known = ", ".join(f"{PREFIX}{name.upper()}" for name in cls.model_fields)
            raise SettingsError(f"{faults}. Known settings: {known}") from None

    @property
    def version(self) -> str:
        """Return the code version that outcomes and certificates name."""
        return self.code_version or _code_digest()


@cache
def _code_digest() -> str:
    """Return a short digest of code, SQL and contracts under shared/: the same code has the same version everywhere."""
    digest = hashlib.sha256()
    for path in sorted(path for kind in ("*.py", "*.sql", "*.yaml") for path in _SHARED.rglob(kind)):
        digest.update(path.relative_to(_SHARED).as_posix().encode())
        digest.update(path.read_bytes())
    return f"code-{digest.hexdigest()[:12]}"
