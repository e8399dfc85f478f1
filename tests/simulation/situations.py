"""The situations that the simulation is there to meet, by the names under which a world counts them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Situation:
    """One situation in words, and the counters (a pattern of their names) that show that it was met."""

    name: str
    counted_as: str


SITUATIONS = (
    Situation("a delivery was acknowledged", r"acknowledged"),
    Situation("a forged request was refused: wrong signature", r"refused: signature_wrong"),
    Situation("a signature was refused: stale, or from the future", r"refused: signature_(stale|from_future)"),
    Situation("a forged request was refused: no or malformed signature", r"refused: signature_(missing|malformed)"),
    Situation("a genuine request was too late and came again", r"a genuine request was too late.*"),
    Situation("the door could not keep a delivery and said so", r"the door asked to be called again"),
    Situation("bytes were kept and the answer of the store was lost", r"raw\.create failed after its effect"),
    Situation("receive died before it had kept the bytes", r"receive died before raw\.create"),
    Situation("receive died between keeping and announcing", r"receive died (after raw\.create|before bus\.publish)"),
    Situation("an announcement failed", r"bus\.publish failed .*"),
    Situation("announcements were lost in a power cut", r"announcements were lost in a power cut"),
    Situation("a power cut hit verbs under way", r"a power cut with verbs under way"),
    Situation("a lost delivery was announced again", r"a lost delivery was announced again"),
    Situation("an announcement came again", r"an announcement came again"),
    Situation("an announcement was given to two at once", r"given to two at once"),
    Situation("two derives ran at once", r"two derives at once"),
    Situation("a transaction was decided again, because others committed first", r"contended"),
    Situation("derive died between its decision and its commit", r"derive died (before|after) ledger\.commit"),
    Situation(
        "derive died between its commit and its acknowledgement",
        r"derive died (after ledger\.transact|before bus\.ack.*)",
    ),
    Situation("a commit happened and its answer was lost", r"ledger\.transact failed after its effect"),
    Situation("derive gave its announcements back", r"derive gave its announcements back"),
    Situation("a delivery was applied", r"outcome applied"),
    Situation("a duplicate was recognised", r"outcome duplicate"),
    Situation("a statement was superseded", r"outcome superseded"),
    Situation("a delivery without a certain meaning was quarantined", r"outcome quarantined"),
    Situation("a provider's API failed", r"api\..* failed .*"),
    Situation("something was fetched", r"something was fetched"),
    Situation(
        "fetches died between keeping an answer and announcing it",
        r"fetches died (after raw\.create_all|before bus\.publish_all)",
    ),
    Situation(
        "fetches died between announcing and emptying the outbox",
        r"fetches died (after bus\.publish_all|before ledger\.outbox_done)",
    ),
    Situation("two runs of one job at once", r"two runs of .* at once"),
    Situation("a run of reconcile failed and was recorded", r"a run of .* failed"),
    Situation("a job could not even record its run", r"a job could not even record its run"),
    Situation("a job died before its run was recorded", r"\w+ died before casebook\.record_run"),
    Situation("a difference was opened", r"a difference was opened"),
    Situation("a difference was closed", r"a difference was closed"),
    Situation("a wrong secret turned a genuine request away", r"a genuine request was turned away by a wrong secret"),
    Situation("what was turned away could not even be kept apart", r"logged: rejected delivery not kept"),
    Situation("a delivery was readmitted", r"a delivery was readmitted"),
    Situation("a readmission failed or died on its way", r"readmit (died .*|failed and said so)"),
    Situation("a file was dropped", r"a file was dropped"),
    Situation("a file was taken in", r"a file was taken in"),
    Situation("a file that cannot be one was set aside", r"a file was set aside"),
    Situation("the inbox job died before it took a file away", r"inbox died (\w+ (raw|bus)\..*|before inbox\.remove)"),
    Situation("somebody settled an exception", r"decided: (accept|write_off)"),
    Situation("somebody was given an exception", r"decided: assign"),
    Situation("a decision failed or died on its way", r"decide (died .*|failed and said so)"),
    Situation("somebody corrected a link", r"decided: correct"),
    Situation("a file waited for its mapping", r"a file waited for its mapping"),
    Situation(
        "a corrected statement stands, and the wrong one counts for nothing",
        r"a corrected statement stands, and the wrong one counts for nothing",
    ),
    Situation("a person was erased", r"a person was erased"),
    Situation("an erasure made deliveries unreadable", r"an erasure made deliveries unreadable"),
    Situation("an erasure failed or died on its way", r"erase (died .*|failed and said so)"),
    Situation(
        "a delivery of somebody erased can no longer be restored",
        r"a delivery of somebody erased can no longer be restored",
    ),
    Situation(
        "what was turned away was forgotten with its person", r"what was turned away was forgotten with its person"
    ),
    Situation("a key could not be had, and nothing was kept", r"keys\.keys_of failed .*"),
    Situation(
        "a verb died between the key of a person and the bytes", r"\w+ died (after keys\.keys_of|before raw\.create\w*)"
    ),
    Situation(
        "seals, ledger and certificates were verified when everybody was erased",
        r"seals, ledger and certificates were verified when everybody was erased",
    ),
    Situation("a provider was down for a while", r"a provider was down for a while"),
    Situation("a source was paused", r"logged: source paused"),
    Situation("a paused source answered again", r"logged: source resumed"),
    Situation("a day was certified with gaps", r"logged: day incomplete"),
    Situation("a day was certified as complete", r"a day was certified as complete"),
    Situation("trips were fetched again", r"logged: manifests refetched"),
    Situation("what a provider could not deliver was taken from its list", r"logged: undelivered webhooks taken"),
    Situation("two rebuilds ran at once, deriving beside them", r"two rebuilds at once"),
    Situation("a rebuild failed and published nothing", r"a rebuild failed and published nothing"),
    Situation("a month was refused while gaps were open", r"a month was refused while gaps were open"),
    Situation("a month was refused for a quarantined delivery", r"a month was refused for a quarantined delivery"),
    Situation("a month was certified at rest", r"a month was certified at rest"),
)
"""Every situation that the fixed set of seeds must meet."""


def reached(situation: Situation, counters: Mapping[str, int]) -> int:
    """Return how often a situation was met."""
    pattern = re.compile(situation.counted_as)
    return sum(number for name, number in counters.items() if pattern.fullmatch(name))
