"""How the doors of the jobs speak HTTP: what the scheduler asks, and what it is answered."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from shared.domain.errors import AsientoError, SettingsError, TransientError
from shared.domain.times import Window, business_day
from shared.runtime.http import busy_answer

if TYPE_CHECKING:
    from shared.pipeline.rebuild_bi import RebuildResult


def error_answer(error: AsientoError) -> JSONResponse:
    """Return the answer of a job's door to an error: whether trying again can help, and the sentence that says what to do."""
    if isinstance(error, TransientError):
        return busy_answer()
    status = 400 if isinstance(error, SettingsError) else 500
    return JSONResponse({"error": type(error).__name__, "detail": str(error)}, status)


def _tells_of_a_file(body: bytes) -> bool:
    """Return whether a body is Pub/Sub's envelope around a notification of Cloud Storage."""
    try:
        attributes = json.loads(body or b"{}")["message"]["attributes"]
        return bool(attributes["eventType"] == "OBJECT_FINALIZE")
    except (ValueError, KeyError, TypeError):
        return False


class JobCall(BaseModel):
    """What the scheduler asks of the door of the jobs: a job of reconcile, all of them, or that closed hours be sealed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    job: str = "all"
    days: int = Field(default=7, ge=1, le=400)
    """How many business days, today included, are looked at."""

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a request body, empty for the defaults; raises SettingsError saying what it takes.

        A push that tells of a new object in the inbox asks for the job `inbox`: that looks by itself at what is there.
        """
        if _tells_of_a_file(body):
            return cls(job="inbox")
        try:
            return cls.model_validate_json(body or b"{}")
        except ValidationError as invalid:
            faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors())
            raise SettingsError(f'{faults}; post {{"job": "all", "days": 7}}') from None

    @property
    def is_seal(self) -> bool:
        """Return whether closed hours are to be sealed: that finds nothing and fetches nothing, and looks at no window."""
        return self.job == "seal"

    def window(self, now: datetime) -> Window:
        """Return the window of whole business days that ends today."""
        today = business_day(now)
        return Window.of_days(today - timedelta(days=self.days - 1), today)


def rebuild_document(result: "RebuildResult") -> dict[str, Any]:
    """Return what a rebuild came to, for scripts and logs: what is certified, what is not, and why."""
    return {
        "build_id": result.build_id,
        "certified": [judgement.grain._asdict() for judgement in result.certified],
        "refused": [
            {
                **judgement.grain._asdict(),
                "differences": [f"{difference.check}: {difference.text}" for difference in judgement.differences],
            }
            for judgement in result.refused
        ],
        "restated": [
            {
                **each.grain._asdict(),
                "restatement_id": each.restatement_id,
                "is_explained": each.is_explained,
                "changed_minor": {figure.figure: figure.change_minor for figure in each.figures},
            }
            for each in result.restated
        ],
        "shadows": [str(shadowed) for shadowed in result.shadows],
        "ledger_state_hash": result.ledger_state_hash,
        "raw_count": result.raw_count,
        "durations_ms": dict(result.durations_ms),
    }
