"""The setting of a report: the tasks with counts, conflicts and examples, the models, and the letters used."""

from collections.abc import Iterable

from theory.notation import NOTATION
from theory.task import Task
from validation.report.data import ReportData
from validation.report.document import Block, Column, Equation, Items, Math, Number, Paragraph, Prose, Section, Table

EXAMPLES = 8
MOST_CONFLICTS = 200


def setting_section(data: ReportData) -> Section:
    """What the report is about."""
    blocks: list[Block] = [counts_table(data.tasks)]
    if data.notes:
        blocks.append(Items(tuple((note,) for note in data.notes)))
    for kind, task in data.tasks.items():
        blocks.append(examples_table(kind, task))
    if (task := data.task).conflicts:
        blocks += conflict_blocks(task)
    sections = (_models(), Section("notation", "Notation", (notation_table(),)))
    return Section("setting", "Setting", tuple(blocks), sections)


def counts_table(tasks: dict[str, Task]) -> Table:
    """Sizes of every task, one column each."""
    lines: tuple[tuple[str, list[float | int]], ...] = (
        ("trained pairs", [len(task.train_context) for task in tasks.values()]),
        ("trained contexts N", [task.trained_contexts for task in tasks.values()]),
        ("held-out answers", [sum(len(q.answers) for q in task.queries) for task in tasks.values()]),
        ("tokens m", [task.vocabulary_size for task in tasks.values()]),
        ("contexts with several targets", [len(task.conflicts) for task in tasks.values()]),
        ("smallest possible loss, nats", [task.loss_floor for task in tasks.values()]),
        ("facts whose subject is their object", [task.self_facts for task in tasks.values()]),
        ("asked pairs that another row trains", [len(task.trained_elsewhere) for task in tasks.values()]),
    )
    rows: tuple[tuple[Prose, ...], ...] = tuple(
        ((name,), *((Number(value),) for value in values)) for name, values in lines
    )
    columns = (Column(""), *(Column(_name(kind, task), numeric=True) for kind, task in tasks.items()))
    return Table("counts", ("What is trained and what is asked.",), columns, rows)


def _name(kind: str, task: Task) -> str:
    return task.name if task.name == kind else f"{task.name} ({kind})"


def examples_table(kind: str, task: Task) -> Table:
    """The first trained pairs and the first queries."""
    trained = [
        (task.context_name(int(a)), task.tokens[int(r)], task.tokens[int(b)], "trained")
        for a, r, b in zip(
            task.train_context[:EXAMPLES], task.train_relation[:EXAMPLES], task.train_target[:EXAMPLES], strict=True
        )
    ]
    asked = [
        (task.context_name(q.context), ", ".join(dict.fromkeys(q.relations)), _names(task, q.answers), "held out")
        for q in task.queries[:EXAMPLES]
    ]
    rows = tuple(_cells(*row) for row in (*trained, *asked))
    columns = tuple(map(Column, ("context", "relation", "target", "direction")))
    return Table(f"examples-{kind}", (f"First pairs of the {kind} task.",), columns, rows)


def _cells(*names: str) -> tuple[Prose, ...]:
    return tuple((name,) for name in names)


def _names(task: Task, tokens: Iterable[int]) -> str:
    return " | ".join(task.tokens[x] for x in tokens)


def conflict_blocks(task: Task) -> list[Block]:
    """Contexts with several targets, with the rows of the file that name each."""
    found = list(task.conflicts.items())
    said = (
        "Contexts with several targets: the loss cannot fall below the conditional entropy of the targets, and the "
        "probability of a target tends to its share."
    )
    if len(found) > MOST_CONFLICTS:
        said += (
            f" The first {MOST_CONFLICTS} of {len(found)} are listed; the table of queries marks more, and every "
            "trained pair stands in report.json."
        )
    rows = tuple(
        (
            (task.context_name(a),),
            (" | ".join(task.tokens[b] for b, _ in targets),),
            (", ".join(str(row) for _, named in targets for row in named),),
        )
        for a, targets in found[:MOST_CONFLICTS]
    )
    columns = tuple(map(Column, ("context", "targets", "rows of the file")))
    return [Paragraph((said,)), Table("conflicts", ("Contexts with several targets.",), columns, rows)]


def notation_table() -> Table:
    """The letters of the paper and of this project."""
    rows = tuple(((Math(letter.latex),), (letter.meaning,), (letter.shape,)) for letter in NOTATION)
    return Table("letters", ("Letters and their meaning.",), tuple(map(Column, ("letter", "meaning", "shape"))), rows)


def _models() -> Section:
    """The two models of the paper as one flow."""
    said: Prose = (
        "Both models of arXiv 2405.04669 are one flow of the logits of all contexts, driven by the residuals of the N "
        "trained contexts A. They differ in two kernels only: the Gram matrix of the embeddings for the bilinear "
        "model, the identity for the one-layer transformer in token space.",
    )
    law = (
        r"\frac{dS}{dt} = K_{\text{in}}[:, A]\, \operatorname{diag}(f)\, R\, K_{\text{out}}, \qquad "
        r"R = \hat{b} - \operatorname{softmax}(S_A)"
    )
    bilinear = r"S_{cx} = v_c^{\top} \Theta\, v_x, \qquad K_{\text{in}} = \Phi G \Phi^{\top},\; K_{\text{out}} = G"
    layer = r"S_{cx} = (\Phi Y)_{cx}, \qquad K_{\text{in}} = \Phi \Phi^{\top},\; K_{\text{out}} = I"
    return Section(
        "models",
        "Models",
        (
            Paragraph(said),
            Equation("one-flow", law, ("Gradient flow of the cross-entropy in logit space.",)),
            Equation("bilinear-model", bilinear, ("Bilinear model with fixed random embeddings.",)),
            Equation("one-layer-model", layer, ("One-layer transformer from zero, on sequences of length three.",)),
        ),
    )
