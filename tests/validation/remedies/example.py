"""A made-up table of choices: every kind of row, a claim that fails, and a task with a name that no form may run."""

from theory.claim import Claim, Verdict
from theory.task import Statement, Task, build_task
from validation.remedies.choice import Choice
from validation.remedies.result import OverSeeds, Prediction, RemediesResult, Row
from validation.remedies.settings import RemedySettings

HOSTILE = "=<script>x</script> $\\input{a}$ 100% [red]x[/]"
PROVENANCE = {"version": "0", "python": "3", "libraries": {"numpy": "2"}, "seed": 0, "commit": None}


def made_claim(id: str, verdict: Verdict = "holds") -> Claim:
    """A claim of one verdict."""
    return Claim(id, f"Title of {id}", r"x \le y", "this project", verdict, "numerical", 1.0, 2.0, f"detail of {id}")


def made_task() -> Task:
    """One trained pair and its reversal."""
    return build_task(HOSTILE, [Statement(("a",), "b", "r")], [Statement(("b",), "a", "r")], vocabulary=10)


def made_row(choice: Choice, index: tuple[float, ...] = (0.1, 0.3), **changed: object) -> Row:
    """A row with these indices, predicted by the law unless something else is given."""
    half = OverSeeds((0.5, 0.5))
    given = {
        "index": OverSeeds(index),
        "without_forward_gain": 0,
        "taught": None,
        "untaught": None,
        "flow": OverSeeds(index),
        "flow_p": half,
        "prediction": Prediction("law", 0.2, 0.05, 0.35),
        "claims": (made_claim(f"training-is-recursion-{choice.slug}"),),
        "time": 300.0,
        "attainable_p": 1.0,
        **changed,
    }
    return Row(
        choice=choice, task=made_task(), questions=2, logit_index=half, centred_logit_index=half,
        trained_p=OverSeeds((0.96, 0.98)), asked_p=OverSeeds((0.12, 0.14)), rival_p=half, first=OverSeeds((0.0, 1.0)),
        chance=0.1, learning_rate=3.0, steps=100, **given,
    )  # type: ignore[arg-type]  # fmt: skip


def made_rows() -> tuple[Row, ...]:
    """By index: above one, with and without copies, by the law, in closed form, measured only, far below."""
    copied = {"taught": OverSeeds((1.0, 1.02)), "untaught": OverSeeds((0.0, 0.1))}
    return (
        made_row(Choice(parameters="symmetric"), (1.2, 1.4), prediction=Prediction("flow", 1.3, 1.3, 1.3)),
        made_row(Choice(data="reversed-copies"), (0.5, 0.56), **copied),
        made_row(Choice()),
        made_row(Choice(loss="squared"), (0.02, 0.02), prediction=Prediction("closed form", 0.02, 0.02, 0.02)),
        made_row(Choice(optimizer="adam"), (-0.1, 0.1), prediction=None, flow=None, flow_p=None, claims=(), time=None),
        made_row(
            Choice(data="identity-bridge"),
            (-2.0, -3.0),
            claims=(made_claim("index-as-predicted-identity-bridge", "fails"),),
        ),
    )


def made_result(rows: tuple[Row, ...] | None = None) -> RemediesResult:
    """All of them."""
    return RemediesResult(
        made_task(),
        RemedySettings(seeds=2),
        made_rows() if rows is None else rows,
        (made_claim("false-twins"), made_claim("interpolation-law")),
        (f"about {HOSTILE}",),
        PROVENANCE,
    )
