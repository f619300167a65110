"""The optimisers by name: a type of its own, so that settings which name one load no torch."""

from typing import Literal

Optimizer = Literal["gd", "sgd", "momentum", "adam", "adamw", "sign"]
