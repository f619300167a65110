"""Mutants of numbers of visits and of the largest step."""

from mutants.mutant import Mutant

VISITS = ("tests/theory/test_visits.py",)
STEPS = ("tests/theory/test_ordering.py::test_bounds_enclose_the_minimum",)
BROKEN = ("tests/theory/test_ordering.py::test_schedules_break_above",)

MUTANTS = (
    Mutant(
        "theory.visits",
        "head_start",
        "per_growth(eta) * log(",
        "per_growth(eta) / 2 * log(",
        "descent is ahead by (e^eta/2) ln((M-1)(1+w)/M) visits",
        VISITS,
    ),
    Mutant(
        "theory.visits",
        "time_short",
        "state_at_odds() - eta / m",
        "state_at_odds() - eta / (2 * m)",
        "descent is ahead of the flow by up to eta/M",
        VISITS,
    ),
    Mutant(
        "theory.visits",
        "time_until",
        "clock(state_at_odds())",
        "clock(state_at_odds()) * Integer(999) / 1000",
        "the flow is at odds w no sooner",
        VISITS,
    ),
    Mutant(
        "theory.visit_bounds",
        "visits_until",
        "certified_enough=_ceiling(time_until() / eta, values)",
        "certified_enough=_ceiling(time_until() / eta, values) - 1",
        "one visit fewer is not always enough",
        VISITS,
    ),
    Mutant(
        "theory.visit_bounds",
        "visits_until",
        "time_until() / eta - head_start() - 1",
        "time_until() / eta - head_start() + 1",
        "fewer than T/eta less the head start are too few, not that many",
        VISITS,
    ),
    Mutant(
        "theory.visit_bounds",
        "probability_after",
        "lower, upper = (1 / (1 + 1 / below)).lower(), (1 / (1 + 1 / above)).upper()",
        "lower, upper = (1 / (1 + 1 / below)).upper(), (1 / (1 + 1 / above)).lower()",
        "bounds are to be rounded outwards",
        VISITS,
    ),
    Mutant(
        "theory.visit_bounds",
        "_largest_odds",
        "Fraction(visits - 1)) * ball_of(step).exp()",
        "Fraction(visits - 1)) * ball_of(step / 2).exp()",
        "eta/M above the flow odds are e^eta times as large",
        VISITS,
    ),
    Mutant(
        "theory.step_bounds",
        "largest_step",
        "/ unit - Fraction(1, 2)) * unit",
        "/ unit + Fraction(3, 2)) * unit",
        "the step that is proved lies below eta*",
        STEPS,
    ),
    Mutant(
        "theory.step_bounds",
        "breaks_at",
        "learning_rate) < 0)",
        "learning_rate) < 1e-6)",
        "an unsafe step has a slack that is certainly negative",
        STEPS,
    ),
    Mutant(
        "theory.step_bounds",
        "row_after",
        "unseen = unseen - size * unseen.exp() / total",
        "unseen = unseen - size * unseen.exp() / total / 2",
        "an unseen logit falls by eta p",
        BROKEN,
    ),
    Mutant(
        "theory.sgd_row",
        "overshoot",
        "step / phi(h)",
        "step / phi(h) / 2",
        "the flow's lead is over a whole Euler step",
        ("tests/theory/test_laws.py",),
    ),
)
