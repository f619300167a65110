"""Assumptions that several theorems share, each with its executable check."""

from fractions import Fraction

import numpy as np

from theory.counting import count_of
from theory.setting import Setting
from theory.task import Task
from theory.theorem import Assumption, Finding


def conflicting_rows(task: Task) -> tuple[int, ...]:
    """The rows of the fact file that give some trained context a second target."""
    return tuple(sorted({row for targets in task.conflicts.values() for _, rows in targets for row in rows}))


def check_single_target(setting: Setting) -> Finding:
    """Every trained context has one target."""
    task = setting.task
    most = int(task.target_count.max())
    if task.single_target:
        return Finding("holds", "1 target a context", "1 target a context", margin=0.0)
    names = [task.context_name(a) for a in task.conflicts]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return Finding(
        "fails",
        "1 target a context",
        f"up to {most} targets, in {len(names):,} of {count_of(task.trained_contexts, 'context')}",
        margin=float(1 - most),
        rows=conflicting_rows(task),
        detail=f"contexts with several targets: {shown}",
    )


def check_equal_shares(setting: Setting) -> Finding:
    """All trained contexts weigh the same."""
    task = setting.task
    share, odd = task.context_weight, task.uneven_contexts
    if task.equal_shares:
        return Finding("holds", "equal shares", "equal shares", margin=0.0)
    ratio = float(share.max() / share.min())
    rows = {row for k in np.flatnonzero(np.isin(task.train_context, odd)) for row in task.train_rows[k]}
    return Finding(
        "fails",
        "equal shares",
        f"the heaviest context weighs {ratio:.3g} times the lightest",
        margin=1.0 - ratio,
        rows=tuple(sorted(rows)),
        detail=f"{count_of(len(odd), 'context weighs', 'contexts weigh')} otherwise than the rest",
    )


def check_queries(setting: Setting) -> Finding:
    """Something is held out."""
    count = sum(len(query.answers) for query in setting.task.queries)
    if count:
        return Finding("holds", "at least 1 held-out pair", f"{count}", margin=float(count - 1))
    return Finding(
        "fails",
        "at least 1 held-out pair",
        "0",
        margin=-1.0,
        detail="every stated direction is trained, so nothing is asked",
    )


def check_one_answer(setting: Setting) -> Finding:
    """Every held-out question has one right answer."""
    several = [query for query in setting.task.queries if len(query.answers) > 1]
    if not several:
        return Finding("holds", "1 answer a query", "1 answer a query", margin=0.0)
    rows = {row for query in several for row in query.rows if row is not None}
    most = max(len(query.answers) for query in several)
    return Finding(
        "fails",
        "1 answer a query",
        f"up to {most} answers, in {count_of(len(several), 'query', 'queries')}",
        margin=float(1 - most),
        rows=tuple(sorted(rows)),
        detail="-log of a sum of probabilities is not convex in the logits",
    )


single_target = Assumption(
    "single-target", r"|\{b : (a, b) \text{ trained}\}| = 1 \text{ for every trained } a", check_single_target
)
equal_shares = Assumption("equal-shares", r"f_a = 1/N", check_equal_shares)
held_out = Assumption("held-out", r"\text{some pair is held out}", check_queries)
one_answer = Assumption("one-answer", r"\text{one right answer for every query}", check_one_answer)


def exact(number: float) -> Fraction:
    """The decimal that a user wrote, exactly: 0.1 is 1/10."""
    return Fraction(repr(float(number)))
