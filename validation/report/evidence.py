"""The evidence as pictures: losses over time, forward against reverse, step sizes, optimisers, exponents."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from theory.counting import count_of, numeral
from theory.laws import derive_all
from validation.loss_picture import curves_of
from validation.report import figures
from validation.report.claims import claim_details_table
from validation.report.data import ReportData
from validation.report.document import Block, Figure, FigureData, Math, Paragraph, Prose, Section
from validation.report.measure import ReportMeasurements, Weights
from validation.result import SeededTrajectory
from validation.step_order import StepOrder

LONGEST_NAME = 12


def evidence_section(data: ReportData) -> Section:
    """Every picture that the results allow."""
    sections = []
    if data.verification is not None:
        shown = [loss_figure(group, f"loss-{n}") for n, group in enumerate(data.verification.groups(), 1)]
        blocks: tuple[Block, ...] = (Paragraph(LOSSES), *(figure for figure in shown if figure is not None))
        sections.append(Section("losses", "Losses over time", blocks))
    if data.verification is not None and data.verification.step_orders:
        figure = step_figure(data.verification.step_orders)
        sections.append(Section("step-size", "Distance of training to the flow", (figure,)))
    if data.measurements is not None:
        sections += list(_measured(data.measurements))
    if data.verification is not None:
        derived = {law.id for law in derive_all()}
        measured = [claim for claim in data.verification.claims if claim.id not in derived]
        details = claim_details_table("claim-details", measured)
        sections.append(Section("details", "Claims in detail", (details,)))
    return Section("evidence", "Evidence", (), tuple(sections))


LOSSES: Prose = (
    "Closed form, integrated flow, the recursion of descent in logit space and real training of the network on one "
    "axis of time, step size times steps. The reversal loss is that of the held-out answers; it starts near ",
    Math(r"\log m"),
    " and stays there where the curse holds. Bands span the seeds.",
)


def summary_figure(data: ReportData) -> Figure | None:
    """The one picture of the summary: real training of the first model, else exponents over the dimension."""
    if data.verification is not None:
        groups = data.verification.groups()
        trained = [g for g in groups if any(t.by_seed[0].source == "training" for t in g)]
        for group in (*trained, *groups):
            if (figure := loss_figure(group, "summary-figure")) is not None:
                return figure
    if data.measurements is not None:
        return exponent_figure(data.measurements, "summary-figure")
    return None


# -- losses --
def loss_figure(group: list[SeededTrajectory], id: str) -> Figure | None:
    """Training and reversal loss over time of one model at one dimension; None where nothing lies after t = 0."""
    curves = [curve for trajectory in group for curve in curves_of(trajectory)]
    if not curves:
        return None
    first, task = group[0].by_seed[0], group[0].task
    where = "" if first.dimension is None else f" at dimension {first.dimension:g}"
    level = float(np.log(task.vocabulary_size))
    what = f"{first.model} model{where}, {count_of(len(task.train_context), 'trained pair')}"
    said = [f"{c.label}: from {numeral(c.value[0])} to {numeral(c.value[-1])}" for c in curves]
    rows = tuple(
        (c.quantity, c.source, c.seeds, float(time), float(mean), float(low), float(high))
        for c in curves
        for time, mean, low, high in zip(c.time, c.value, c.low, c.high, strict=True)
    )
    data = FigureData(("quantity", "source", "seeds", "time", "mean", "smallest", "largest"), rows)
    reversal = "" if task.queries else " Nothing is held out, so there is no reversal loss."
    return Figure(
        id,
        (f"Losses over time of the {what}; the line is at ", Math(r"\log m"), f".{reversal}"),
        f"Log-log plot of losses over time, {what}, until t = {numeral(first.time[-1])}, with a line at log m = "
        f"{numeral(level)}. {'; '.join(said)}.",
        data,
        partial(figures.losses, curves, level),
    )


# -- measured for the report --
def _measured(found: ReportMeasurements) -> Iterator[Section]:
    weights = found.weights
    blocks: list[Block] = [
        Paragraph(
            (
                f"{count_of(len(weights.task.train_context), 'pair')} of the task, trained by SGD at dimension "
                f"{weights.dimension} until t = {weights.time:g} from {count_of(weights.seeds, 'seed')}, beside the "
                "flow of the "
                "same instances. A weight is the change of a logit less the mean of its row, the mean over seeds.",
            )
        )
    ]
    if weights.pairs:
        blocks.append(scatter_figure(weights))
    blocks.append(heatmap_figure(weights))
    yield Section("directions", "Forward against reverse weights", tuple(blocks))
    if found.residuals:
        yield Section("optimisers", "The interpolation law by optimiser", (residual_figure(found),))
    if found.exponents:
        yield Section("exponents", "Measured and certified exponents", (exponent_figure(found, "exponent-figure"),))


def scatter_figure(weights: Weights) -> Figure:
    """Forward against reverse weight of each fact."""
    pairs = weights.pairs
    columns = ("forward", "other", "forward_flow", "other_flow", "trained")
    arrays = {name: np.array([getattr(pair, name) for pair in pairs]) for name in columns}
    held, both = (arrays["other"][arrays["trained"] == kind] for kind in (False, True))
    said = [
        f"{len(values)} with the other pair {name}, whose weight lies between {numeral(values.min())} and "
        f"{numeral(values.max())}"
        for name, values in (("not trained", held), ("trained", both))
        if len(values)
    ]
    names = ("context", "target", "other context", "other target", "other trained", "weight", "other weight")
    rows = tuple(
        (
            *(p.context, p.target, p.other_context, p.other_target, "yes" if p.trained else "no"),
            *(p.forward, p.other, p.forward_flow, p.other_flow),
        )
        for p in pairs
    )
    low, high = arrays["forward"].min(), arrays["forward"].max()
    return Figure(
        "weights-scatter",
        (
            "Weight of each trained pair against the weight of its reversal, or of the chain that starts with it; "
            "small filled marks are SGD, open ones the flow.",
        ),
        f"Scatter plot. Trained pairs gained a weight between {numeral(low)} and {numeral(high)}. {'; '.join(said)}.",
        FigureData((*names, "weight, flow", "other weight, flow"), rows),
        partial(figures.scatter, figures.Directions(**arrays)),
    )


def heatmap_figure(weights: Weights) -> Figure:
    """The change of every logit of the part under real training, trained pairs and held-out answers marked."""
    task = weights.task
    contexts = [task.context_name(a) for a in range(len(task.contexts))]
    names = _ticks(contexts, "context"), _ticks(list(task.tokens), "token")
    kind = np.where(weights.trained, "trained", np.where(weights.asked, "held out", ""))
    rows = tuple(
        (contexts[a], task.tokens[x], str(kind[a, x]), float(weights.training[a, x]), float(weights.flow[a, x]))
        for a in range(len(contexts))
        for x in range(task.vocabulary_size)
    )
    trained = weights.training[weights.trained]
    said = (
        f"{count_of(len(trained), 'trained pair')} gained between {numeral(trained.min())} and {numeral(trained.max())}"
    )
    if weights.asked.any():
        asked = weights.training[weights.asked]
        said += (
            f"; {count_of(len(asked), 'held-out answer')} changed by {numeral(asked.min())} to {numeral(asked.max())}"
        )
    numbered = any(name.startswith(("context ", "token ")) for axis in names for name in axis)
    return Figure(
        "weights-heatmap",
        (
            "Change of every logit in real training, contexts in rows and targets in columns."
            + (" Long names and names in other scripts are numbered; the data table spells them." * numbered),
        ),
        f"Heat map of {len(contexts)} contexts by {task.vocabulary_size} tokens: {said}; the other entries lie between "
        f"{numeral(weights.training[kind == ''].min(initial=0))} and "
        f"{numeral(weights.training[kind == ''].max(initial=0))}.",
        FigureData(("context", "target", "direction", "change, SGD", "change, flow"), rows),
        partial(figures.heatmap, weights.training, weights.trained, weights.asked, names),
    )


def _ticks(names: list[str], kind: str) -> tuple[str, ...]:
    """Names that every font can draw and that fit; the others by their number."""
    return tuple(
        name if name.isascii() and name.isprintable() and 0 < len(name) <= LONGEST_NAME else f"{kind} {number}"
        for number, name in enumerate(names, 1)
    )


def step_figure(orders: tuple[StepOrder, ...]) -> Figure:
    """The distance of training to the flow against the step size, with the fitted order."""
    rows = tuple(
        (order.schedule, order.seeds, order.order, order.expected, step, distance)
        for order in orders
        for step, distance in zip(order.steps, order.distances, strict=True)
    )
    said = [
        f"{order.schedule}: order {numeral(order.order, '.2f')}, theory {order.expected:g}, distances from "
        f"{numeral(min(order.distances), '.2g')} to {numeral(max(order.distances), '.2g')}"
        for order in orders
    ]
    drawn = [(o.schedule, np.array(o.steps), np.array(o.distances), o.order, o.expected) for o in orders]
    seeds = ", ".join(f"{order.schedule} {order.seeds}" for order in orders)
    return Figure(
        "step-orders",
        (
            "Largest gap between the logits of real training and those of the flow, root mean square over seeds "
            f"({seeds}), against the step size; the lines are fitted powers.",
        ),
        f"Log-log plot of distances at {len(orders[0].steps)} step sizes. {'; '.join(said)}.",
        FigureData(("schedule", "seeds", "fitted order", "order in theory", "step size", "distance"), rows),
        partial(figures.orders, drawn),
    )


def residual_figure(found: ReportMeasurements) -> Figure:
    """The residual of the interpolation law for each optimiser."""
    names = [r.optimizer for r in found.residuals]
    values, tolerances = (np.array([getattr(r, name) for r in found.residuals]) for name in ("residual", "tolerance"))
    within = ", ".join(r.optimizer for r in found.residuals if r.residual <= r.tolerance) or "none"
    outside = [f"{r.optimizer} ({numeral(r.residual, '.2g')})" for r in found.residuals if r.residual > r.tolerance]
    return Figure(
        "law-residuals",
        (
            "Largest violation over training of ",
            Math(r"S_q(t) - w_q^{\top} S_A(t) = \text{const.}"),
            ", shrunk as weight decay asks; marks at the right of the tick break the law.",
        ),
        f"Dot plot on a log axis. Within rounding: {within}. Breaking the law: {', '.join(outside) or 'none'}.",
        FigureData(
            ("optimizer", "residual", "tolerance"),
            tuple((r.optimizer, r.residual, r.tolerance) for r in found.residuals),
        ),
        partial(figures.residuals, names, values, tolerances),
    )


def exponent_figure(found: ReportMeasurements, id: str) -> Figure:
    """Measured and certified exponents over the dimension."""
    columns = ("dimension", "measured", "first_order", "certified", "classical", "a_priori")
    arrays = {name: np.array([getattr(e, name) for e in found.exponents]) for name in columns}
    rows = tuple(
        (e.dimension, draw, *_finite(e.measured[draw], e.first_order[draw], e.certified[draw], e.classical, e.a_priori))
        for e in found.exponents
        for draw in range(len(e.measured))
    )
    last = found.exponents[-1]
    chance = f"certified with probability {1 - found.delta:g} {numeral(last.a_priori, '.2g')}"
    return Figure(
        id,
        (
            f"Exponent of Theorem 1 on the reversal task of {found.exponent_pairs} pairs, gradient flow, initial scale "
            f"{found.init_scale:g}: the largest measured along the flow against what is certified; all fall like ",
            Math(r"1/\sqrt{d}"),
            " once the dimension is large.",
        ),
        f"Log-log plot of exponents over dimensions from {found.exponents[0].dimension:.0e} to {last.dimension:.0e}. "
        f"At the largest: measured at most {numeral(max(last.measured), '.2g')}, certified by draw at most "
        f"{numeral(max(last.certified), '.2g')}, {chance}, by eigenvalues {numeral(last.classical, '.2g')}.",
        FigureData(
            (
                "dimension",
                "draw",
                "measured",
                "first order",
                "certified",
                "by eigenvalues",
                "with probability 1 - delta",
            ),
            rows,
        ),
        partial(figures.exponents, figures.Exponents(**arrays, delta=found.delta)),
    )


def _finite(*values: float) -> tuple[float | None, ...]:
    """Numbers of a table; what is infinite says nothing and is left empty."""
    return tuple(value if np.isfinite(value) else None for value in values)
