"""The table of queries: every trained pair and every held-out question with its probabilities, conflicts first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from numerics.trajectory import Trajectory
from theory.task import Task
from validation.report.document import Block, Column, Number, Paragraph, Prose, Section, Table
from validation.result import SeededTrajectory, Verification

MOST_ROWS = 4_000

# A pair or question by the names of its context and of its targets.
Key = tuple[tuple[str, ...], tuple[str, ...], bool]


@dataclass(frozen=True)
class Row:
    """One row: a fact in one direction, and its probability by column ("bilinear, predicted", say)."""

    context: str
    relation: str
    target: str
    trained: bool
    conflict: bool
    rows: tuple[int, ...]
    probability: dict[str, float] = field(default_factory=dict)


def queries_section(verification: Verification) -> Section:
    """Every direction of every fact: what theory predicts for it and what training gave."""
    rows = query_rows(verification)
    columns = list(dict.fromkeys(name for row in rows for name in row.probability))
    kept = rows[:MOST_ROWS]
    task = verification.task
    chance = 1 / task.vocabulary_size
    said = (
        f"Probability of the target, or of all right answers together, at the end of each run; chance is {chance:.3g}. "
        "Predicted: closed form or flow over the whole task; trained: the mean over seeds of real training. "
    )
    said += "Contexts with several targets come first, then " if task.conflicts else "First come "
    said += "what is held out, the likeliest first, then what is trained, the least likely first."
    blocks: list[Block] = [Paragraph((said,))]
    if not task.queries:
        blocks.append(Paragraph(("Nothing is held out here: every stated direction is trained.",)))
    if len(rows) > MOST_ROWS:
        left = len(rows) - MOST_ROWS
        blocks.append(Paragraph((f"{left:,} of {len(rows):,} rows are left out here; report.json lists all.",)))
    with_rows = any(row.rows for row in kept)
    heads = [*map(Column, ("context", "relation", "target", "direction"))]
    heads += [Column("rows of the file")] if with_rows else []
    heads += [Column(f"p {name}", numeric=True) for name in columns]
    caption = ("Every fact in both directions.",)
    cells = tuple(_cells(row, columns, with_rows) for row in kept)
    return Section("queries", "Facts and queries", (*blocks, Table("query-table", caption, tuple(heads), cells, True)))


def _cells(row: Row, columns: Iterable[str], with_rows: bool) -> tuple[Prose, ...]:
    direction = ("trained" if row.trained else "held out") + (", several targets" if row.conflict else "")
    names: tuple[Prose, ...] = ((row.context,), (row.relation,), (row.target,), (direction,))
    rows: tuple[Prose, ...] = ((", ".join(map(str, row.rows)),),) if with_rows else ()
    return (*names, *rows, *((Number(row.probability.get(name), 3),) for name in columns))


def query_rows(verification: Verification) -> list[Row]:
    """Every row in the order of the table."""
    rows = dict(_rows(verification.task))
    for group in verification.groups():
        for name, trajectory in _sources(group):
            train, asked = (
                np.exp(values[-1]) for values in (trajectory.train_log_probability, trajectory.query_log_probability)
            )
            task = group[0].task
            for keys, probability in ((_train_keys(task), train), (_asked_keys(task), asked)):
                for key, p in zip(keys, probability.tolist(), strict=True):
                    if key in rows:  # a part may hold fewer right answers of a question than the whole
                        rows[key].probability.setdefault(name, p)

    def place(row: Row) -> tuple[bool, bool, float]:
        known = [p for name, p in row.probability.items() if name.endswith("trained")]
        p = (known or [*row.probability.values(), 0.0])[0]
        return not row.conflict, row.trained, p if row.trained else -p

    return sorted(rows.values(), key=place)


def _rows(task: Task) -> Iterator[tuple[Key, Row]]:
    """The rows of the table without their numbers."""
    relations = [task.tokens[r] for r in task.train_relation.tolist()]
    targets = task.train_target.tolist()
    contexts = task.train_context.tolist()
    for key, a, relation, b, named in zip(
        _train_keys(task), contexts, relations, targets, task.train_rows, strict=True
    ):
        yield key, Row(task.context_name(a), relation, task.tokens[b], True, a in task.conflicts, named)
    for key, query in zip(_asked_keys(task), task.queries, strict=True):
        relation = " | ".join(dict.fromkeys(query.relations))
        named = tuple(row for row in query.rows if row is not None)
        answers = " | ".join(task.tokens[x] for x in query.answers)
        conflict = query.context in task.conflicts
        yield key, Row(task.context_name(query.context), relation, answers, False, conflict, named)


def _train_keys(task: Task) -> list[Key]:
    names = [tuple(task.tokens[t] for t in context) for context in task.contexts]
    pairs = zip(task.train_context.tolist(), task.train_target.tolist(), strict=True)
    return [(names[a], (task.tokens[b],), True) for a, b in pairs]


def _asked_keys(task: Task) -> list[Key]:
    names = [tuple(task.tokens[t] for t in context) for context in task.contexts]
    return [(names[q.context], tuple(sorted(task.tokens[x] for x in q.answers)), False) for q in task.queries]


def _sources(group: list[SeededTrajectory]) -> Iterator[tuple[str, Trajectory]]:
    """The column and the trajectory of a group: real training where there is some, else the best prediction."""
    means = {t.by_seed[0].source: t for t in group}
    first = group[0].by_seed[0]
    where = "" if first.dimension is None else f" d = {first.dimension:g}"
    if "training" in means:
        yield f"{first.model}{where}, trained", means["training"].mean
    else:
        best = means.get("flow") or next(iter(means.values()))
        yield f"{first.model}{where}, predicted", best.mean
