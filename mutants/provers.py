"""Mutants of provers and of what asks them: proofs that reach too far, twins that are refused by half, lost checks."""

from mutants.mutant import Mutant

REACHED = ("tests/theory/test_outcome.py",)
TWINS = ("tests/theory/test_twin.py::test_a_verdict_says_what_is_wrong",)
ALONE = ("tests/theory/test_prover_alone.py",)
LIMIT = ("tests/theory/test_deadline.py",)

MUTANTS = (
    Mutant(
        "theory.theorems.outcome",
        "proved_outcome",
        '"holds" if reached else "undecided"',
        '"holds"',
        "a proof of another bound does not stand for this one, run or not",
        REACHED,
    ),
    Mutant(
        "theory.theorems.outcome",
        "proved_outcome",
        "if not reached:",
        "if False:",
        "a run that keeps a promise does not prove it",
        REACHED,
    ),
    Mutant(
        "theory.theorems.one_layer",
        "one_layer_outcome",
        "visits >= planned and share >= 1",
        "share >= 1",
        "fewer visits than the certified number are not certified",
        REACHED,
    ),
    Mutant(
        "theory.theorems.one_layer",
        "one_layer_outcome",
        "visits >= planned and share >= 1",
        "visits >= planned",
        "1/M is proved, no share of it",
        REACHED,
    ),
    Mutant(
        "theory.theorems.laws",
        "unseen_outcome",
        '"symbolic", share >= 1, bound',
        '"symbolic", True, bound',
        "1/M is proved, no share of it",
        REACHED,
    ),
    Mutant(
        "theory.theorems.laws",
        "sandwich_outcome",
        '"symbolic", share >= 1, share',
        '"symbolic", True, share',
        "eta/M is proved, no share of it",
        REACHED,
    ),
    Mutant(
        "theory.theorems.laws",
        "order_outcome",
        'check_step(setting).verdict == "holds"',
        "True",
        "beyond eta*(M) the order is not proved",
        REACHED,
    ),
    Mutant(
        "theory.twin",
        "TwinVerdict.refused",
        "self.violated and not self.proved",
        "self.violated",
        "a prover that proves a twin is no prover, whatever its witness shows",
        TWINS,
    ),
    Mutant(
        "theory.twin",
        "TwinVerdict.refused",
        "self.violated and not self.proved",
        "not self.proved",
        "a twin that nothing violates may be true",
        TWINS,
    ),
    Mutant(
        "theory.checked_proof",
        "prove_checked",
        "objection = recheck(outcome)",
        "objection = None",
        "a proof that backs a claim is checked twice",
        ALONE,
    ),
    Mutant(
        "theory.deadline",
        "within_limit",
        "sys.settrace(_watch)",
        "pass",
        "the limit is kept inside SymPy",
        LIMIT,
    ),
)
