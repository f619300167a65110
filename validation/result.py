"""What a verification found: claims, trajectories over seeds, probabilities by query; and its JSON form."""

import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import theory
from numerics.index import SeedIndices, seed_indices
from numerics.trajectory import Trajectory, mean_trajectory
from theory.claim import Claim, Verdict, joint_verdict
from theory.task import Task
from validation.settings import VerifySettings

if TYPE_CHECKING:  # it loads torch, which a sweep and a check can do without
    from validation.step_order import StepOrder

FORMAT = "reversal-verify/1"
LIBRARIES = ("numpy", "scipy", "sympy", "python-flint", "scikit-sundae", "torch", "hypothesis")


@dataclass(frozen=True)
class SeededTrajectory:
    """One trajectory per seed of one task (the whole, or the part that was trained) on one grid of times."""

    task: Task
    seeds: tuple[int, ...]
    by_seed: tuple[Trajectory, ...]

    @property
    def mean(self) -> Trajectory:
        """The mean over seeds; of a single seed, that trajectory itself with its error bound."""
        return self.by_seed[0] if len(self.by_seed) == 1 else mean_trajectory(self.by_seed)

    @cached_property
    def index(self) -> SeedIndices:
        """The index of each seed at the last time."""
        return seed_indices(self.task, self.by_seed)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the mean over seeds, each seed beside it, and the first seed's error bound on the parameters."""
        mean = self.mean
        bound = self.by_seed[0].error_bound
        return {
            "model": mean.model,
            "source": mean.source,
            "dimension": mean.dimension,
            "time": mean.time,
            "loss": mean.loss,
            "reversal_loss": mean.reversal_loss,
            "index": self.index.mean,
            "without_forward_gain": self.index.without,
            "by_seed": [
                {"seed": seed, "loss": t.loss, "reversal_loss": t.reversal_loss, "index": index.value}
                for seed, t, index in zip(self.seeds, self.by_seed, self.index.by_seed, strict=True)
            ],
            "error_bound": None
            if bound is None
            else {"parameters": bound.parameters, "evidence": bound.evidence, "reason": bound.reason},
        }


@dataclass(frozen=True)
class Verification:
    """Everything that one run of verify found. `notes` are lines for a person, about the task and about limits."""

    task: Task
    settings: VerifySettings
    claims: tuple[Claim, ...]
    trajectories: tuple[SeededTrajectory, ...]
    notes: tuple[str, ...] = ()
    stages: tuple[tuple[str, int], ...] = ()  # the stages in order, and how many claims each made
    step_orders: tuple["StepOrder", ...] = ()  # the distances to the flow behind the claims about step sizes

    def __post_init__(self) -> None:
        ids = [claim.id for claim in self.claims]
        if len(set(ids)) < len(ids):
            raise ValueError(f"claims share an id: {sorted({i for i in ids if ids.count(i) > 1})}")

    @property
    def verdict(self) -> Verdict:
        """`holds` when every applicable claim holds."""
        return joint_verdict([claim.verdict for claim in self.claims])

    def groups(self) -> list[list[SeededTrajectory]]:
        """Trajectories that describe the same thing: one model at one dimension."""
        found: dict[tuple[str, float | None, float], list[SeededTrajectory]] = {}
        for trajectory in self.trajectories:
            first = trajectory.by_seed[0]
            found.setdefault((first.model, first.dimension, float(first.time[-1])), []).append(trajectory)
        return list(found.values())

    def queries(self) -> list[dict[str, Any]]:
        """Every trained pair and every held-out answer set with its probability by source at the final time."""
        return [row for group in self.groups() for row in _query_rows(group)]

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `reversal verify --json`; numbers that are not finite are None."""
        return finite_json(
            {
                "format": FORMAT,
                "task": {
                    "name": self.task.name,
                    "contexts": self.task.trained_contexts,
                    "vocabulary": self.task.vocabulary_size,
                    "train_pairs": len(self.task.train_context),
                    "test_pairs": sum(len(q.answers) for q in self.task.queries),
                    "conflicts": len(self.task.conflicts),
                    "self_facts": self.task.self_facts,
                    "trained_elsewhere": len(self.task.trained_elsewhere),
                    "loss_floor": self.task.loss_floor,
                },
                "settings": self.settings.model_dump(mode="json"),
                "claims": [claim.as_dict() for claim in self.claims],
                "trajectories": [trajectory.as_dict() for trajectory in self.trajectories],
                "step_orders": [order.as_dict() for order in self.step_orders],
                "queries": self.queries(),
                "notes": list(self.notes),
                "verdict": self.verdict,
                "provenance": provenance(self.settings.seed),
            }
        )


def _query_rows(group: Sequence[SeededTrajectory]) -> list[dict[str, Any]]:
    task = group[0].task
    means = {t.mean.source: t.mean for t in group}
    first = group[0].mean
    shared = {"model": first.model, "dimension": first.dimension, "time": float(first.time[-1])}

    def row(context: int, relation: str, targets: tuple[int, ...], trained: bool, column: int) -> dict[str, Any]:
        field = "train_log_probability" if trained else "query_log_probability"
        probability = {s: float(np.exp(getattr(t, field)[-1, column])) for s, t in means.items()}
        return {
            "context": task.context_name(context),
            "relation": relation,
            "target": " | ".join(task.tokens[x] for x in targets),
            "trained": trained,
            **shared,
            "probability": probability,
        }

    pairs = zip(task.train_context.tolist(), task.train_relation.tolist(), task.train_target.tolist(), strict=True)
    trained = [row(a, task.tokens[r], (b,), True, k) for k, (a, r, b) in enumerate(pairs)]
    asked = [row(q.context, " | ".join(q.relations), q.answers, False, k) for k, q in enumerate(task.queries)]
    return asked + trained


def provenance(seed: int) -> dict[str, Any]:
    """Versions, seed and commit: what is needed to run the same again."""
    return {
        "version": theory.__version__,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "seed": seed,
        "commit": _commit(),
    }


def _commit() -> str | None:
    """The commit of the checkout that this file lies in, None outside one (an installed wheel)."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    answer = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def finite_json(value: Any) -> Any:
    """Lists, dicts, arrays and numbers as plain JSON values; a number that is not finite becomes None."""
    if isinstance(value, dict):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [finite_json(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) + 0.0 if math.isfinite(value) else None  # zero has no sign
    return int(value) if isinstance(value, np.integer) else value
