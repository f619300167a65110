"""A decoder-only transformer in the form of GPT-2, with a leading axis over seeds.

Conventions:
- S models of one shape train in one forward pass and never mix: every parameter has shape (S, ...).
- B sentences of T tokens each, width d, heads h of d/h, a vocabulary of m tokens.
- Pre-norm blocks, GELU in its tanh form, biases everywhere but in the head, a last norm before the head.
- Initial weights are normal with standard deviation 0.02; the projections back into the stream have it divided by
  sqrt(2 layers), as in GPT-2.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Positions = Literal["none", "absolute", "rotary"]

INITIAL_DEVIATION = 0.02
ROTARY_BASE = 10_000.0
NORM_EPSILON = 1e-5
SHORT = 4  # tokens up to which attention is written out on a CPU


@dataclass(frozen=True)
class Shape:
    """What a model is made of. `tied`: the head is the embedding; `frozen`: embedding and head are not trained.

    Raises ValueError where the heads do not divide the width, or rotary positions meet an odd head.
    """

    vocabulary: int
    length: int
    layers: int
    heads: int
    width: int
    positions: Positions = "absolute"
    tied: bool = False
    frozen: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError(f"rotary positions turn pairs of numbers: a head of {self.width // self.heads} is odd")

    @property
    def parameters(self) -> int:
        """Numbers in one model."""
        d = self.width
        block = 12 * d * d + 13 * d
        heads = 1 if self.tied else 2
        absolute = self.length * d if self.positions == "absolute" else 0
        return self.layers * block + 2 * d + heads * self.vocabulary * d + absolute


class SeededLinear(nn.Module):
    """x W + b for each seed: (S, N, inputs) -> (S, N, outputs)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # (S, inputs, outputs)
        self.bias = nn.Parameter(torch.zeros(weight.shape[0], weight.shape[2]))

    def forward(self, x: Tensor) -> Tensor:
        """One matrix product a seed."""
        return torch.baddbmm(self.bias[:, None], x, self.weight)


class SeededNorm(nn.Module):
    """Layer norm with a gain and a shift for each seed, (S, N, d)."""

    def __init__(self, seeds: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(seeds, width))
        self.bias = nn.Parameter(torch.zeros(seeds, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalised over the last axis."""
        if len(self.weight) == 1:  # one kernel in place of three
            return functional.layer_norm(x, x.shape[-1:], self.weight[0], self.bias[0], NORM_EPSILON)
        plain = functional.layer_norm(x, x.shape[-1:], eps=NORM_EPSILON)
        return torch.addcmul(self.bias[:, None], plain, self.weight[:, None])


class Block(nn.Module):
    """Attention and a two-layer perceptron, each on the normed stream and added to it."""

    def __init__(self, shape: Shape, draw: "Draw") -> None:
        super().__init__()
        d, back = shape.width, INITIAL_DEVIATION / math.sqrt(2 * shape.layers)
        self.shape = shape
        self.norm_attention, self.norm_perceptron = SeededNorm(draw.seeds, d), SeededNorm(draw.seeds, d)
        self.query = SeededLinear(draw(d, d))
        self.key_value = SeededLinear(draw(d, 2 * d))
        self.attention_out = SeededLinear(draw(d, d, back))
        self.up, self.down = SeededLinear(draw(d, 4 * d)), SeededLinear(draw(4 * d, d, back))

    def forward(self, x: Tensor, last: int, turn: Tensor | None) -> Tensor:
        """The stream (S, B, T, d) after the block, at the `last` positions only, (S, B, last, d).

        `turn` (T, d/h, 2) holds the cosines and sines of rotary positions.
        """
        seeds, batch, length, d = x.shape
        heads = self.shape.heads
        normed = self.norm_attention(x.reshape(seeds, -1, d)).view(seeds, batch, length, d)
        asked = normed if last == length else normed[:, :, -last:]

        def split(y: Tensor, positions: int) -> Tensor:
            # (S, B P, d) -> (S B, P, h, d/h)
            return y.view(seeds * batch, positions, heads, d // heads)

        query = split(self.query(asked.reshape(seeds, -1, d)), last)
        key, value = self.key_value(normed.view(seeds, -1, d)).split(d, dim=2)
        key, value = (part.unflatten(2, (heads, -1)).view(seeds * batch, length, heads, -1) for part in (key, value))
        if turn is not None:
            query, key = turned(query, turn[-last:, None]), turned(key, turn[:, None])
        mixed = attention(query, key, value, self.shape.dropout if self.training else 0.0)
        mixed = mixed.reshape(seeds, batch * last, d)  # (S B, P, h, d/h) -> (S, B P, d)
        stream = (x if last == length else x[:, :, -last:]).reshape(seeds, batch * last, d)
        stream = stream + self._dropped(self.attention_out(mixed))
        hidden = gelu(self.up(self.norm_perceptron(stream)))
        return (stream + self._dropped(self.down(hidden))).view(seeds, batch, last, d)

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.shape.dropout, self.training) if self.shape.dropout else x


# GELU in its tanh form: x (1 + tanh v)/2 with v = sqrt(2/pi) (x + 0.044715 x^3) is x sigmoid(2 v), 2 v = x (A + B x^2)
GELU_A = 2 * math.sqrt(2 / math.pi)
GELU_B = 0.044715 * GELU_A


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form; on a CPU by way of the sigmoid, in half the time of torch's kernel."""
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.gelu(x, approximate="tanh")
    result: Tensor = _Gelu.apply(x)  # type: ignore[no-untyped-call]
    return result


class _Gelu(torch.autograd.Function):
    """x s with s = sigmoid(x (A + B x^2)); its slope is s (1 + x (A + 3 B x^2)(1 - s))."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        share = x.square().mul_(GELU_B).add_(GELU_A).mul_(x).sigmoid_()
        ctx.save_for_backward(x, share)
        return x * share

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, share = ctx.saved_tensors
        slope = x.square().mul_(3 * GELU_B).add_(GELU_A).mul_(x)
        return slope.mul_(1 - share).add_(1).mul_(share).mul_(gradient)


def attention(query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
    """Causal attention of the last P positions to all T, (N, P, h, size) to (N, T, h, size), -> (N, P, h, size)."""
    last, length = query.shape[1], key.shape[1]
    mask = None  # the last position sees everything
    if last > 1:
        mask = torch.ones(length, length, dtype=torch.bool, device=query.device).tril()[-last:]  # (P, T)
    if length > SHORT or query.device.type != "cpu" or dropout:
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))  # (N, h, P, size)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return mixed.transpose(1, 2)
    # the same by hand: kernels made for long sequences take twice as long over a few tokens
    score = (query.unsqueeze(2) * key.unsqueeze(1)).sum(-1) / math.sqrt(query.shape[-1])  # (N, P, T, h)
    if mask is not None:
        score = score.masked_fill(~mask[..., None], -torch.inf)
    return (score.softmax(2).unsqueeze(-1) * value.unsqueeze(1)).sum(2)


class Draw:
    """Initial matrices, seed by seed from generators of their own, so that a seed means one model in any company."""

    def __init__(self, seeds: range) -> None:
        self.seeds = len(seeds)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, rows: int, columns: int, deviation: float = INITIAL_DEVIATION) -> Tensor:
        """(S, rows, columns), normal."""
        return torch.stack([deviation * torch.randn(rows, columns, generator=g) for g in self._generators])


class Transformer(nn.Module):
    """S decoder-only transformers side by side."""

    turn: Tensor | None

    def __init__(self, shape: Shape, seeds: range) -> None:
        super().__init__()
        self.shape, draw = shape, Draw(seeds)
        self.embedding = nn.Parameter(draw(shape.vocabulary, shape.width), requires_grad=not shape.frozen)
        absolute = shape.positions == "absolute"
        self.position = nn.Parameter(draw(shape.length, shape.width)) if absolute else None
        self.blocks = nn.ModuleList(Block(shape, draw) for _ in range(shape.layers))
        self.norm = SeededNorm(len(seeds), shape.width)
        # one column a token: so its gradient needs no transposing, which would cost a twentieth of a step
        own = None if shape.tied else draw(shape.width, shape.vocabulary)
        self.head = None if own is None else nn.Parameter(own, requires_grad=not shape.frozen)
        turn = rotations(shape.length, shape.width // shape.heads) if shape.positions == "rotary" else None
        self.register_buffer("turn", turn, persistent=False)

    @property
    def unembedding(self) -> Tensor:
        """The head's columns, (S, d, m): the embedding itself where tied."""
        return self.embedding.transpose(1, 2) if self.head is None else self.head

    def forward(self, tokens: Tensor, last: int) -> Tensor:
        """Logits of the token after each of the `last` positions, (S, B, T) -> (S, B, last, m)."""
        seeds, batch, length = tokens.shape
        # one gather from the stacked tables (S m, d)
        shift = self.shape.vocabulary * torch.arange(seeds, device=tokens.device)
        x = functional.embedding(tokens + shift[:, None, None], self.embedding.flatten(0, 1))
        if self.position is not None:
            x = x + self.position[:, None, :length]
        if self.shape.dropout:
            x = functional.dropout(x, self.shape.dropout, self.training)
        turn = None if self.turn is None else self.turn[:length]
        for number, block in enumerate(self.blocks, 1):
            # what the last layer says elsewhere is never read
            x = block(x, last if number == len(self.blocks) else length, turn)
        stream = self.norm(x.reshape(seeds, batch * last, -1))
        # (S, B last, d) x (S, d, m) -> (S, B last, m)
        return torch.bmm(stream, self.unembedding).view(seeds, batch, last, -1)


def rotations(length: int, size: int) -> Tensor:
    """Cosines and sines of position times frequency, (T, size/2, 2); frequencies 10000^(-2i/size)."""
    frequency = ROTARY_BASE ** (-torch.arange(0, size, 2) / size)
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Each pair (x_i, x_{i + size/2}) turned by its angle, (..., P, size); scores then depend on distance alone."""
    low, high = x.chunk(2, dim=-1)
    cosine, sine = turn[..., 0].to(x.dtype), turn[..., 1].to(x.dtype)
    return torch.cat([low * cosine - high * sine, low * sine + high * cosine], dim=-1)
