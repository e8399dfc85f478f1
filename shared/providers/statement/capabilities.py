"""What a statement can do: it comes as a file, and in no other way."""

from shared.ports.provider import Capabilities

NAME = "statement"

CAPABILITIES = Capabilities(
    name=NAME,
    title="Statements (any bank or processor, by a declared mapping)",
    signature_scheme="none: files only, taken in by an operator or from the inbox",
    signed_content="nothing",
    signature_headers=("mapping",),
    tolerance_s=0,
    event_identity="the file's content and its mapping; of a reissued statement its period and generation",
    version_source="the generation of the statement",
    has_thin_events=False,
    event_types=("report.statement",),
    listings=(),
    fetchable=(),
)
