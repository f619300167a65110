"""Assumptions that theorems share, checked on tasks of known weights."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.facts import Fact, reversal_task_from_facts
from theory.setting import Setting
from theory.task import Task
from theory.theorem import Finding
from theory.theorems.assumptions import check_equal_shares
from validation.measurements import Measurements

HEADER = 1


def facts_task(weights: Sequence[Sequence[float]]) -> Task:
    """A file with one subject for each group of weights, and one row, with an object of its own, for each weight."""
    rows = [(f"s{a}", f"o{a}.{k}", weight) for a, group in enumerate(weights) for k, weight in enumerate(group)]
    return reversal_task_from_facts(
        [Fact(s, "r", o, weight=weight, row=n) for n, (s, o, weight) in enumerate(rows, HEADER + 1)]
    )


def equal_shares(task: Task) -> Finding:
    return check_equal_shares(Setting(task, Measurements()))


def test_one_heavy_context_among_7000() -> None:
    """Of 7,000 contexts of one row each, the one with a second row weighs otherwise: rows 2 and 7002, no other."""
    facts = [Fact(f"s{i}", "r", f"o{i}", row=HEADER + 1 + i) for i in range(7000)]
    found = equal_shares(reversal_task_from_facts([*facts, Fact("s0", "r", "p", row=7002)]))
    assert (found.verdict, found.rows) == ("fails", (2, 7002))
    assert found.detail == "1 context weighs otherwise than the rest"


@given(
    contexts=st.integers(3, 400),
    weight=st.floats(1e-50, 1e50),
    odd=st.sets(st.integers(0, 399), min_size=1, max_size=3),
    factor=st.sampled_from([0.5, 1 - 1e-12, 1 + 1e-12, 1 + 1e-10, 3.0]),
)
def test_the_rows_at_fault_are_those_of_the_uneven_contexts(
    contexts: int, weight: float, odd: set[int], factor: float
) -> None:
    """At any number of rows and any size of weights, the rows named are those whose weight is not the others'."""
    odd = {a for a in odd if a < (contexts - 1) // 2} or {0}
    task = facts_task([(weight * factor if a in odd else weight,) for a in range(contexts)])
    found = equal_shares(task)
    assert found.verdict == "fails"
    assert found.rows == tuple(sorted(HEADER + 1 + a for a in odd))
    assert set(task.uneven_contexts.tolist()) == odd


@given(st.floats(1e-50, 1e50), st.integers(1, 2000), st.integers(2, 40))
def test_equal_shares_are_equal_whatever_rounding_their_sums_have(weight: float, targets: int, contexts: int) -> None:
    """A context whose one row weighs as much as the many rows of another has an equal share."""
    task = facts_task([*[(weight,)] * contexts, (weight / targets,) * targets])
    assert task.equal_shares
    assert equal_shares(task).verdict == "holds"


@pytest.mark.parametrize(("weight", "pairs"), [(1.0, 3), (0.1, 7), (1 / 3, 1000), (1e-50, 49), (0.7, 5000)])
def test_even_pairs_are_visited_with_a_full_step(weight: float, pairs: int) -> None:
    """K w_k of even pairs is one, exactly; of pairs uneven by one part in 10^13 it is not."""
    assert facts_task([(weight,)] * pairs).heaviest_visit == 1.0
    assert facts_task([*[(weight,)] * pairs, (weight * (1 + 1e-13),)]).heaviest_visit > 1.0
