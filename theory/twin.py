"""What a false twin is, and what became of it.

A twin is a false statement near a true claim, with a stored witness. It is *refused* when two things hold:

- its witness violates it, by the same measure by which the claim itself would be found violated;
- the prover of the claim, asked alone, does not prove it. Asked alone means that nothing else can save it: no instance
  is looked at before, and no run may overrule.

A law's twin has a prover of its own (`Identity.prove`, `Inequality.prove`); a theorem's twin has the theorem without
its measurements; of a claim about runs the checker is the prover and the stored run is the witness.
"""

from dataclasses import dataclass

from theory.claim import Verdict


@dataclass(frozen=True)
class TwinVerdict:
    """What became of one false twin: whether its witness violates it, and whether the prover alone proves it."""

    id: str
    violated: bool
    proved: bool

    @classmethod
    def of_checker(cls, id: str, verdict: Verdict) -> "TwinVerdict":
        """Of a twin whose checker is its prover: `fails` says that the witness violates it, `holds` proves it."""
        return cls(id, violated=verdict == "fails", proved=verdict == "holds")

    @property
    def refused(self) -> bool:
        """Whether the twin is refused, as every twin must be."""
        return self.violated and not self.proved

    def __str__(self) -> str:
        """The id with what is wrong, or with `refused`."""
        faults = ["its witness does not violate it"] * (not self.violated) + ["it is proved"] * self.proved
        return f"{self.id} ({' and '.join(faults) or 'refused'})"


def twin_id(of: str, title: str) -> str:
    """The id of a twin: that of the true claim and what was changed."""
    return f"{of}/{title.replace(' ', '-')}"
