"""What the property tests draw: tasks, fact files, settings of real training, dimensions and initial scales."""

from hypothesis import strategies as st

from numerics.order import ORDERS
from theory.facts import DIRECTIONS, Fact, chain_task_from_facts, reversal_task_from_facts
from theory.task import Task, TaskError, chain_of_thought_task, reversal_task
from validation.training import TrainingSettings

seeds = st.integers(0, 2**20)
initial_scales = st.one_of(st.just(0.0), st.floats(1e-6, 0.5))
momenta = st.floats(0.0, 0.95)


@st.composite
def reversal_tasks(draw: st.DrawFn) -> Task:
    """The paper's reversal task: 1 to 5 pairs, at least one held out, up to 10 unused tokens."""
    pairs = draw(st.integers(1, 5))
    return reversal_task(pairs, draw(st.integers(1, pairs)), 2 * pairs + 2 + draw(st.integers(0, 10)))


@st.composite
def chain_tasks(draw: st.DrawFn) -> Task:
    """The paper's chain-of-thought task: 1 to 4 chains, up to 8 unused tokens."""
    chains = draw(st.integers(1, 4))
    return chain_of_thought_task(chains, 3 * chains + 2 + draw(st.integers(0, 8)))


@st.composite
def fact_lists(draw: st.DrawFn, directions: tuple[str, ...] = DIRECTIONS) -> list[Fact]:
    """Up to 8 facts over few names, so that conflicts, self-facts and chains occur; weights vary."""
    names = st.sampled_from(["Ann", "Bo", "Çem", "Dai", "Eve, Jr.", "Фёдор", "7"])
    relations = st.sampled_from(["parent", "friend"])
    rows = draw(
        st.lists(
            st.tuples(names, relations, names, st.sampled_from(directions), st.sampled_from([1.0, 1.0, 2.0, 0.5])),
            min_size=1,
            max_size=8,
            unique_by=lambda row: row[:3],
        )
    )
    return [Fact(*row, row=number) for number, row in enumerate(rows, start=2)]  # type: ignore[arg-type]


@st.composite
def fact_tasks(draw: st.DrawFn) -> Task:
    """A reversal task, or a chain task where the facts hold a chain, by entity or by entity and relation."""
    facts = draw(fact_lists())
    context = draw(st.sampled_from(["entity", "entity+relation"]))
    if draw(st.booleans()):
        try:
            return chain_task_from_facts(facts, context)  # type: ignore[arg-type]
        except TaskError:
            pass  # no chain in these facts: ask their reversals instead
    return reversal_task_from_facts(facts, context)  # type: ignore[arg-type]


tasks = st.one_of(reversal_tasks(), chain_tasks(), fact_tasks())


@st.composite
def descents(draw: st.DrawFn, weight_decay: bool = False) -> TrainingSettings:
    """Optimisers whose steps stay in the span of gradients, any order, batch and step size that does not diverge.

    Batch-one steps stay below 1: 4 / (G_aa lambda_max(G)) for embeddings of dimension 2 m and more, where G_aa < 2 and
    lambda_max(G) < 3 but for rare draws (and a step that is too large would still obey the laws tested).
    """
    optimizer = draw(st.sampled_from(["gd", "sgd", "momentum"]))
    batch = {"gd": "full", "sgd": "one"}.get(optimizer) or draw(st.sampled_from(["full", "one"]))
    step = draw(st.floats(0.01, 1.0 if optimizer != "momentum" else 0.1))
    return TrainingSettings(
        optimizer,  # type: ignore[arg-type]
        step,
        draw(st.integers(1, 60)),
        batch,  # type: ignore[arg-type]
        draw(st.sampled_from(ORDERS)),
        momentum=draw(momenta),
        weight_decay=draw(st.floats(0.0, 0.2)) if weight_decay else 0.0,
    )


def dimensions(task: Task) -> st.SearchStrategy[int]:
    """Embedding dimensions from singular (below N) to nearly orthogonal."""
    m = task.vocabulary_size
    return st.one_of(st.integers(1, m), st.integers(m, 4 * m), st.just(16 * m))
