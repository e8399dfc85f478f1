"""How the doors of the jobs speak HTTP: what the scheduler asks, and what it is answered."""

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


class JobCall(BaseModel):
    """What the scheduler asks of reconcile."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    job: str = "all"
    days: int = Field(default=7, ge=1, le=400)
    """How many business days, today included, are looked at."""

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a request body, empty for the defaults; raises SettingsError saying what it takes."""
        try:
            return cls.model_validate_json(body or b"{}")
        except ValidationError as invalid:
            faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors())
            raise SettingsError(f'{faults}; post {{"job": "all", "days": 7}}') from None

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
        "ledger_state_hash": result.ledger_state_hash,
        "raw_count": result.raw_count,
        "durations_ms": dict(result.durations_ms),
    }
