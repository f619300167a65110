"""One choice of loss, parameter space, optimiser and data: a row of the table, with the reason why it should matter."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from numerics.losses import Loss
from numerics.optimizer import Optimizer
from numerics.parameter_space import Parameters
from theory.facts import ContextKind
from theory.variants import Data

Embeddings = Literal["gaussian", "orthonormal"]

# Entries of Theta, or of W_O and W_V, at the start: small, so that what is learnt is not what was drawn; a product of
# two factors needs more, for it starts at a saddle and leaves it after a time of order log(1 / scale).
INIT_SCALE: dict[Parameters, float] = {
    "free": 0.01,
    "symmetric": 0.01,
    "factorised": 0.05,
    "trained-embeddings": 0.01,
    "tied-embeddings": 0.01,
}


class Choice(BaseModel):
    """The baseline is the paper's: cross-entropy, any Theta, embeddings fixed, gradient descent, the facts as they are.

    `weight_decay` is decoupled, per unit of time (of Adam's and of sign descent's: per unit of step size). `width` is
    that of a factorised Theta (None: that of the embeddings), `share` that of the questions that are trained where the
    data say so, `init_scale` None that of INIT_SCALE.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: Loss = "cross-entropy"
    parameters: Parameters = "free"
    optimizer: Optimizer = "gd"
    data: Data = "plain"
    context: ContextKind = "entity"
    embeddings: Embeddings = "gaussian"
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    width: Annotated[int, Field(ge=1, le=4096)] | None = None
    init_scale: Annotated[float, Field(ge=0, le=10)] | None = None

    @property
    def scale(self) -> float:
        """The initial scale, chosen or that of the space."""
        return INIT_SCALE[self.parameters] if self.init_scale is None else self.init_scale

    @property
    def label(self) -> str:
        """What differs from the baseline, for a person."""
        parts = []
        if self.loss != "cross-entropy":
            parts.append({"squared": "squared loss", "one-against-all": "one-against-all loss"}[self.loss])
        if self.parameters != "free":
            width = f" (width {self.width})" if self.width is not None else ""
            parts.append({"symmetric": "symmetric Θ", "factorised": f"factorised Θ{width}"}.get(
                self.parameters, f"{self.parameters.replace('-', ' ')}"
            ))  # fmt: skip
        if self.optimizer != "gd":
            parts.append(OPTIMIZER_NAMES[self.optimizer])
        if self.weight_decay:
            parts.append(f"weight decay {self.weight_decay:g}")
        if self.data != "plain":
            shared = f" of {self.share:.0%}" if self.data in ("both-directions", "reversed-copies") else ""
            parts.append(f"{DATA_NAMES[self.data]}{shared}")
        if self.context != "entity" and self.data != "implication":
            parts.append("relation in context")
        if self.embeddings == "orthonormal" and self.data != "implication":
            parts.append("one-hot tokens")
        if self.data == "implication" and self.parameters == "free":
            parts.append("merged Θ")
        return ", ".join(parts) or "baseline: cross-entropy, any Θ, gradient descent"

    @property
    def slug(self) -> str:
        """The label as an id."""
        text = self.label.lower().replace("θ", "theta").replace("%", "-percent")
        return "baseline" if text.startswith("baseline") else re.sub(r"[^a-z0-9]+", "-", text).strip("-")

    @property
    def gradient_steps(self) -> bool:
        """Whether steps are sums of gradients, so that there are a recursion and a flow in the space of logits."""
        return self.optimizer in ("gd", "sgd", "momentum")

    @property
    def closed_form(self) -> bool:
        """Whether the flow has a closed form: the squared loss, any Theta, no weight decay."""
        return self.loss == "squared" and self.parameters == "free" and self.gradient_steps and not self.weight_decay

    @property
    def time_weight_decay(self) -> float:
        """lambda of the flow; zero where the optimiser has none."""
        return self.weight_decay if self.gradient_steps else 0.0


OPTIMIZER_NAMES: dict[Optimizer, str] = {
    "gd": "gradient descent",
    "sgd": "SGD",
    "momentum": "momentum",
    "adam": "Adam",
    "adamw": "AdamW",
    "sign": "sign descent",
}
DATA_NAMES: dict[Data, str] = {
    "plain": "facts as they are",
    "both-directions": "inverses taught",
    "reversed-copies": "reversed copies",
    "control": "answers trained elsewhere",
    "identity-bridge": "identity bridge",
    "identity-bridge-as-implication": "identity bridge as implication",
    "implication": "two-relation implication",
}


def shown_choices() -> tuple[Choice, ...]:
    """The table that is shown when nothing is asked for by name: each choice alone, then those that act together."""

    def related(parameters: Parameters, data: Data) -> Choice:
        """The model of arXiv 2506.10887 and 2602.02470: one-hot tokens, the relation attended."""
        return Choice(parameters=parameters, data=data, context="entity+relation", embeddings="orthonormal")

    return (
        Choice(),
        Choice(loss="squared"),
        Choice(loss="one-against-all"),
        Choice(parameters="symmetric"),
        Choice(parameters="factorised"),
        Choice(parameters="factorised", width=4),
        Choice(parameters="trained-embeddings"),
        Choice(parameters="tied-embeddings"),
        Choice(optimizer="sgd"),
        Choice(optimizer="momentum"),
        Choice(optimizer="adam"),
        Choice(optimizer="adamw", weight_decay=0.1),
        Choice(optimizer="sign"),
        Choice(optimizer="sign", embeddings="orthonormal"),
        Choice(weight_decay=1e-3),
        Choice(data="both-directions"),
        Choice(data="reversed-copies"),
        Choice(data="control"),
        Choice(data="identity-bridge"),
        Choice(parameters="tied-embeddings", data="both-directions", share=0.9),
        Choice(parameters="tied-embeddings", data="both-directions", share=0.9, weight_decay=3e-3),
        related("factorised", "identity-bridge"),
        related("free", "identity-bridge-as-implication"),
        related("factorised", "identity-bridge-as-implication"),
        related("free", "implication"),
        related("factorised", "implication"),
    )


def brief_choices() -> tuple[Choice, ...]:
    """The rows of the table that take a second or two: what a report measures by itself."""
    few = (
        Choice(parameters="trained-embeddings"),
        Choice(parameters="factorised", width=4),
        Choice(optimizer="momentum"),
        Choice(parameters="tied-embeddings", data="both-directions", share=0.9),
    )
    return tuple(
        c for c in shown_choices() if c not in few and not (c.parameters == "factorised" and c.data != "plain")
    )
