"""Timing in turns: in each round every competitor runs once, and ratios are taken within a round.

The speed of a machine that others use too changes from minute to minute by more than what is measured; it hits
neighbours alike. Everything runs on one thread, so seconds are CPU seconds of this process (all its threads), which are
what an idle machine would take; only programs that are started beside it need the clock on the wall.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from benchmarks.findings import Ratio

Clock = Callable[[], float]


def seconds_of(run: Callable[[], object], clock: Clock = time.process_time) -> float:
    """Seconds of one run."""
    begun = clock()
    run()
    return clock() - begun


def in_turns(
    competitors: Mapping[str, Callable[[], object]],
    rounds: int,
    prepare: Callable[[], object] = lambda: None,
    warm: bool = True,
    clock: Clock = time.process_time,
) -> dict[str, list[float]]:
    """Seconds of each competitor, one number a round; `prepare` runs, untimed, before every run.

    With `warm` everyone runs once untimed, to fill caches. The order turns round from one round to the next.
    """
    if warm:
        for run in competitors.values():
            prepare()
            run()
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for number in range(rounds):
        for name in list(competitors)[:: 1 if number % 2 == 0 else -1]:
            prepare()
            seconds[name].append(seconds_of(competitors[name], clock))
    return seconds


def ratio_of(our_seconds: list[float], peer_seconds: list[float], **said: Any) -> Ratio:
    """Peer seconds / our seconds round by round; `said` are the other fields of the Ratio."""
    ratios = [peer / ours for ours, peer in zip(our_seconds, peer_seconds, strict=True)]
    return Ratio(
        our_seconds=median(our_seconds),
        peer_seconds=median(peer_seconds),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        rounds=len(ratios),
        **said,
    )
