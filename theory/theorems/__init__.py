"""The theorems that `reversal check` knows, in order: those of arXiv 2405.04669, their finite-step forms, our own."""

from theory.theorem import Theorem
from theory.theorems.laws import OWN
from theory.theorems.lower_bound import LOWER_BOUND
from theory.theorems.one_layer import ONE_LAYER
from theory.theorems.separation import SEPARATION

THEOREMS: tuple[Theorem, ...] = (
    tuple(sorted((*SEPARATION, *LOWER_BOUND, *ONE_LAYER), key=lambda theorem: not theorem.id.startswith("theorem")))
    + OWN
)
