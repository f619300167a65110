"""A false twin of a claim about runs: the claim's checker, fed with what the false statement says of a stored run."""

from collections.abc import Callable
from dataclasses import dataclass

from theory.claim import Claim
from theory.twin import TwinVerdict, twin_id


@dataclass(frozen=True)
class NumericalTwin:
    """A false statement about runs: the claim it stands beside, what is false, its witness, the checker's answer.

    The checker is the prover here, and the numbers of the stored run are the witness: `fails` says that they violate
    the statement, `holds` would be its proof (`theory.twin`).
    """

    of: str
    title: str
    witness: str
    check: Callable[[], Claim]

    @property
    def id(self) -> str:
        """The twin's own id."""
        return twin_id(self.of, self.title)

    def verdict(self) -> TwinVerdict:
        """What the checker makes of the twin."""
        return TwinVerdict.of_checker(self.id, self.check().verdict)
