"""The error family: the class of an error says whether trying again can help.

    AsientoError
    ├── TransientError          try again later: the other side is busy, down or contended
    │   ├── BusyError           the other side asks for patience, and may say for how long
    │   └── PausedError         we leave the other side alone for a while: it failed again and again
    ├── TerminalError           trying again cannot help: code, configuration or data must change first
    │   ├── UnreadableError     a delivery says something that cannot be classified with certainty
    │   ├── NotFoundError       what was asked for is not there
    │   └── SettingsError       a setting is unknown, missing or wrong
    ├── ConflictError           two statements under one identity disagree: a person decides
    └── RefusedError            the door stays closed: not authenticated, too large, not for us

Every message says what happened, to what, and what to do.
"""

from datetime import datetime
from enum import StrEnum


class AsientoError(Exception):
    """The root of every error that Asiento raises on purpose."""


class TransientError(AsientoError):
    """Trying again later can help."""


class BusyError(TransientError):
    """The other side asks us to come back later, in `retry_after_s` seconds if it says so."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        """Keep how long we are asked to wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PausedError(TransientError):
    """A provider is left alone until an instant, after which it is asked again by itself."""

    def __init__(self, message: str, until: datetime) -> None:
        """Keep when the pause ends."""
        super().__init__(message)
        self.until = until


class TerminalError(AsientoError):
    """Trying again cannot help until code, configuration or data change."""


class ConflictError(AsientoError):
    """Two statements under one identity disagree; neither is overwritten."""


class NotFoundError(TerminalError):
    """What was asked for is not there."""


class SettingsError(TerminalError):
    """A setting is unknown, missing or wrong; the message names it."""


class Quarantine(StrEnum):
    """Why a kept delivery could not be read with certainty; each is listed, explained and replayable."""

    NOT_UTF8 = "not_utf8"
    MALFORMED_JSON = "malformed_json"
    TOO_LARGE = "too_large"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_STATUS = "unknown_status"
    EXCESS_PRECISION = "excess_precision"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    TEST_MODE = "test_mode"
    FUTURE_VERSION = "future_version"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    IDENTITY_BROKEN = "identity_broken"
    MALFORMED_CSV = "malformed_csv"
    ROWS_HELD = "rows_held"
    OFF_CONTRACT = "off_contract"
    STOPPED_BY_CONTRACT = "stopped_by_contract"


class UnreadableError(TerminalError):
    """A delivery whose meaning is not certain: it is quarantined, never guessed."""

    def __init__(self, reason: Quarantine, detail: str) -> None:
        """Name the reason and the field or value at fault (never a person's data)."""
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class Refusal(StrEnum):
    """Why the door stayed closed; the words are part of the HTTP answer."""

    UNKNOWN_PROVIDER = "unknown_provider"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_INCOMPLETE = "body_incomplete"
    BODY_TOO_SLOW = "body_too_slow"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    SIGNATURE_STALE = "signature_stale"
    SIGNATURE_FROM_FUTURE = "signature_from_future"
    NO_SECRET = "no_secret"  # noqa: S105  the name of a refusal


class RefusedError(AsientoError):
    """The door stays closed; nothing of this request reaches the ledger."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        """Name the refusal and what the sender or the operator can do about it."""
        super().__init__(f"{refusal.value}: {detail}")
        self.refusal = refusal
        self.detail = detail
