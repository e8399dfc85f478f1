"""A crew: shares of the seeds go to processes of their own. A story depends on its seed alone, whoever runs it."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.simulation.runs import Simulation, Story
from tests.simulation.town import towns

_SEEDS_A_SHARE = 25
"""A share opens towns of its own, which takes as long as one or two seeds, and lets go of all it has recorded."""


def stories(seeds: Sequence[int], workers: int) -> Iterator[Story]:
    """Yield what each share of the seeds came to, as it ends. Raises what a seed raised, with its number and step in a note."""
    size = min(_SEEDS_A_SHARE, -(-len(seeds) // workers))
    shares = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    crew = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        for share in as_completed([crew.submit(_story_of, share) for share in shares]):
            yield share.result()
    except BaseException:
        # Nobody waits for what the others would still see.
        for member in multiprocessing.active_children():
            member.terminate()
        raise
    finally:
        crew.shutdown(cancel_futures=True)


def _story_of(seeds: Sequence[int]) -> Story:
    story = Story()
    with towns() as opened:
        simulation = Simulation(opened)
        for seed in seeds:
            story.add(simulation.run(seed))
    return story
