"""What was found of each choice, and of all of them; and the JSON form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from numerics.index import mean_of_known
from theory.claim import Claim, Verdict, joint_verdict
from theory.task import Task
from validation.remedies.choice import Choice
from validation.remedies.reason import reason
from validation.remedies.settings import RemedySettings
from validation.result import finite_json

FORMAT = "reversal-remedies/1"
CONFIDENCE = 0.95  # of the intervals over seeds that are shown: of the mean, by Student's t


@dataclass(frozen=True)
class OverSeeds:
    """A number for each seed; an index may be no number, where none of its questions has one."""

    by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds whose value is a number."""
        return mean_of_known(self.by_seed)

    @property
    def interval(self) -> tuple[float, float]:
        """A 95 % interval of the mean over seeds, by Student's t; not numbers where one seed says nothing of others."""
        n = len(self.by_seed)
        if n < 2 or not np.isfinite(self.by_seed).all():
            return np.nan, np.nan
        half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(self.by_seed, ddof=1) / np.sqrt(n)
        return self.mean - float(half), self.mean + float(half)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        low, high = self.interval
        return {"mean": self.mean, "low": low, "high": high, "by_seed": list(self.by_seed)}


@dataclass(frozen=True)
class Prediction:
    """The index before it is measured, for the questions that were not taught: `mean` within `low` to `high`.

    `source`: law (of the asked embedding, an interval at the run's false-alarm rate), closed form, flow (the equations
    integrated from the same start; no interval).
    """

    source: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One choice, S seeds. Indices are over all questions; `taught` and `untaught` over those with and without a copy.

    `without_forward_gain` counts, over all seeds, the questions that have no index, as their premises gained nothing.
    `trained_p` and `asked_p` mean probabilities of right answers; `attainable_p` what `trained_p` is where the loss is
    least; `chance` 1/m; `rival_p` that of the best other token
    that is never trained there; `first` the share of questions whose right answer is above all such. `flow` is the
    index of the integrated flow, `flow_p` its mean probability of right answers.
    """

    choice: Choice
    task: Task
    questions: int
    without_forward_gain: int
    index: OverSeeds
    taught: OverSeeds | None
    untaught: OverSeeds | None
    logit_index: OverSeeds
    centred_logit_index: OverSeeds
    trained_p: OverSeeds
    attainable_p: float
    asked_p: OverSeeds
    rival_p: OverSeeds
    first: OverSeeds
    chance: float
    flow: OverSeeds | None
    flow_p: OverSeeds | None
    prediction: Prediction | None
    learning_rate: float
    steps: int
    time: float | None
    claims: tuple[Claim, ...]

    @property
    def learnt(self) -> bool:
        """Whether trained pairs came half the way from chance to what the loss lets them reach; else an index is noise.

        The squared loss brings logits to one, not probabilities.
        """
        return self.trained_p.mean > (self.chance + self.attainable_p) / 2.0

    @property
    def verdict(self) -> Verdict:
        """`holds` where every applicable claim holds."""
        return joint_verdict([claim.verdict for claim in self.claims])

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        text, derivation = reason(self.choice)
        found = {
            "id": self.choice.slug,
            "label": self.choice.label,
            "choice": self.choice.model_dump(mode="json"),
            "initial_scale": self.choice.scale,
            "reason": text,
            "derivation": derivation,
            "contexts": self.task.trained_contexts,
            "vocabulary": self.task.vocabulary_size,
            "questions": self.questions,
            "without_forward_gain": self.without_forward_gain,
            "chance": self.chance,
            "attainable_p": self.attainable_p,
            "learnt": self.learnt,
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "time": self.time,
            "prediction": None if self.prediction is None else asdict(self.prediction),
            "claims": [claim.as_dict() for claim in self.claims],
            "verdict": self.verdict,
        }
        measured = (
            "index", "taught", "untaught", "logit_index", "centred_logit_index", "trained_p", "asked_p", "rival_p",
            "first", "flow", "flow_p",
        )  # fmt: skip
        for name in measured:
            value = getattr(self, name)
            found[name] = None if value is None else value.as_dict()
        return found


@dataclass(frozen=True)
class RemediesResult:
    """Every row, by index; claims of all of them; lines that a reader must know."""

    task: Task
    settings: RemedySettings
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]
    origin: Mapping[str, Any]

    @property
    def all_claims(self) -> tuple[Claim, ...]:
        """Those of the rows and those about the checkers."""
        return (*(claim for row in self.rows for claim in row.claims), *self.claims)

    @property
    def verdict(self) -> Verdict:
        """`holds` where every applicable claim holds."""
        return joint_verdict([claim.verdict for claim in self.all_claims])

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `reversal remedies --json`; numbers that are not finite are None."""
        found: dict[str, Any] = finite_json(
            {
                "format": FORMAT,
                "settings": self.settings.model_dump(mode="json"),
                "task": {
                    "name": self.task.name,
                    "contexts": self.task.trained_contexts,
                    "vocabulary": self.task.vocabulary_size,
                },
                "rows": [row.as_dict() for row in self.rows],
                "claims": [claim.as_dict() for claim in self.claims],
                "notes": list(self.notes),
                "verdict": self.verdict,
                "provenance": dict(self.origin),
            }
        )
        return found
