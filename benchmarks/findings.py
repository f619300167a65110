"""What a benchmark finds: ratios to a peer, fitted exponents, counts of proofs, costs without a peer, absent peers.

A ratio is peer seconds / our seconds: above 1 ours is faster, below 1 slower.
"""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """Ours beside one peer: medians over the rounds, and the smallest and largest ratio of a round.

    `our_error` and `peer_error` are measured against one reference where the two are set to equal error; `difference`
    is how far apart the two results are where both follow the same steps. `ours` and `peer` say what was run.
    """

    case: str
    ours: str
    peer: str
    our_seconds: float
    peer_seconds: float
    ratio: float
    lowest: float
    highest: float
    rounds: int
    our_error: float | None = None
    peer_error: float | None = None
    difference: float | None = None


@dataclass(frozen=True)
class Exponent:
    """seconds ~ size^exponent by least squares in logarithms, with its standard error, and what is expected."""

    what: str
    over: str
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]
    exponent: float
    standard_error: float
    expected: str


@dataclass(frozen=True)
class Proved:
    """How many of a list of statements one prover proves, each within a limit of seconds."""

    statements: str
    prover: str
    proved: int
    of: int
    limit_seconds: float


@dataclass(frozen=True)
class Cost:
    """Seconds of something that no peer was set beside."""

    what: str
    seconds: float


@dataclass(frozen=True)
class Absent:
    """A peer that was not run, and why."""

    peer: str
    reason: str


@dataclass
class Findings:
    """Everything that one benchmark found, in the order in which it was found."""

    ratios: list[Ratio] = field(default_factory=list)
    exponents: list[Exponent] = field(default_factory=list)
    proved: list[Proved] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """The findings of one kind (the name of a field), each as a plain dictionary."""
        return [{f.name: getattr(item, f.name) for f in fields(item)} for item in getattr(self, kind)]


KINDS = tuple(f.name for f in fields(Findings))


def absent(peer: str, error: ImportError) -> Absent:
    """A peer whose package is missing."""
    return Absent(peer, f"not installed ({error.name or error})")
