"""What is read of a decision. Amounts are integers of minor units, times milliseconds since the epoch."""

from shared.providers.toolkit.payload_models import Payload


class AtRisk(Payload):
    """The money at risk that was decided on."""

    amount_minor: int
    currency: str


class Correction(Payload):
    """A field of an entity that is stated anew, as of a version of that entity."""

    key: str
    field: str
    value: str | int | bool
    version_at_ms: int
    version_step: int


class ErasureDecided(Payload):
    """The decision to erase the keys of a person. It names keys, never the person."""

    type: str
    key_ids: list[str]
    reason: str
    decided_by: str
    decided_at_ms: int


class DecisionMade(Payload):
    """A decision about one exception, as it stood when it was decided on."""

    type: str
    exception_id: str
    exception_kind: str
    subject: str
    decision: str
    reason: str
    decided_by: str
    decided_at_ms: int
    evidence_digest: str
    at_risk: AtRisk | None
    assigned_to: str = ""
    correction: Correction | None = None
