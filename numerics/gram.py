"""Gram matrices G = V V^T of Gaussian embeddings V_i ~ N(0, I/d), at any dimension d, kept as G = I + E.

Gradient flow and descent depend on the embeddings only through G, so V (m x d) need never exist. At d = 1e30
the excess E is of order 1e-15 and would drown in I + E: only E is stored, drawn without a subtraction.
G = (I + L)(I + L)^T with L (`factor_excess`) lower triangular, hence E = L + L^T + L L^T.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

# Embeddings are drawn outright where they are small (for d < m they must be: G is singular). Bartlett's
# decomposition takes over from there; both have the law of V V^T exactly.
EXPLICIT_DIMENSION = 64

# |y| below which log1p(y) - y + y^2/2 - y^3/3 is summed as a series up to y^59: 2^-56 of the sum is left out.
SERIES_RADIUS = 0.5
SERIES_DEGREE = 59


@dataclass(frozen=True, eq=False)
class Gram:
    """G = I + E of m embeddings: `excess` E (m, m) symmetric.

    `dimension` is d, None for the identity (orthonormal embeddings); `factor_excess` L (m, m) is lower
    triangular, present where G was drawn by Bartlett's decomposition; `embeddings` V (m, d) where they exist.
    Raises ValueError when the excess is not symmetric and finite, or is not zero where there is no dimension.
    """

    dimension: float | None
    excess: np.ndarray
    factor_excess: np.ndarray | None = field(default=None, repr=False)
    embeddings: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        shape = self.excess.shape
        if self.dimension is None:
            # the zeros of `identity` are one number repeated: nothing of size m x m is stored or read
            if self.excess.strides != (0, 0) or self.excess.flat[0] != 0.0:
                raise ValueError("only Gram.identity has no dimension: give the dimension of the embeddings")
            return
        if len(shape) != 2 or shape[0] != shape[1] or not np.array_equal(self.excess, self.excess.T):
            raise ValueError(f"the excess G - I must be a finite symmetric matrix, got shape {shape}")

    @staticmethod
    def identity(vocabulary_size: int) -> "Gram":
        """Orthonormal embeddings, G = I: the one-layer transformer, and the limit d -> infinity."""
        return Gram(dimension=None, excess=np.broadcast_to(0.0, (vocabulary_size, vocabulary_size)))

    @staticmethod
    def explicit(embeddings: np.ndarray) -> "Gram":
        """The Gram matrix of given embeddings V (m, d)."""
        gram = embeddings @ embeddings.T
        excess = np.tril(gram) - np.eye(len(gram))
        return Gram(
            dimension=float(embeddings.shape[1]),
            excess=excess + np.tril(excess, -1).T,
            embeddings=embeddings,
        )

    @staticmethod
    def draw(vocabulary_size: int, dimension: float, rng: np.random.Generator) -> "Gram":
        """Draw G with the law of V V^T, V_ij ~ N(0, 1/d) independent; d from 1 to 1e30.

        Cost O(m^3) at any d. A dimension below m must be a whole number, for the law exists for no other.
        Raises ValueError on another dimension.
        """
        whole = dimension == np.floor(dimension)
        if not 1 <= dimension < np.inf or (dimension < vocabulary_size and not whole):
            raise ValueError(
                f"the embedding dimension must be finite and at least 1, and a whole number below the "
                f"vocabulary size {vocabulary_size}; got {dimension}"
            )
        if whole and dimension < max(vocabulary_size, EXPLICIT_DIMENSION):
            return Gram.explicit(rng.normal(size=(vocabulary_size, int(dimension))) / np.sqrt(dimension))
        factor = np.tril(rng.normal(size=(vocabulary_size, vocabulary_size)), -1) / np.sqrt(dimension)
        excess_square = chi_square_excess(dimension, np.arange(vocabulary_size), rng)
        # sqrt(1 + x) - 1 without the subtraction
        np.fill_diagonal(factor, excess_square / (1.0 + np.sqrt(1.0 + excess_square)))
        square = factor @ factor.T  # (m, m) x (m, m) -> (m, m)
        lower = np.tril(factor + factor.T + square)
        return Gram(float(dimension), lower + np.tril(lower, -1).T, factor_excess=factor)

    @property
    def vocabulary_size(self) -> int:
        """m."""
        return len(self.excess)

    @property
    def is_identity(self) -> bool:
        """Whether this is `identity`, so that products with E can be left out."""
        return self.dimension is None

    def initial_logits(self, features: csr_array, init_scale: float, rng: np.random.Generator) -> np.ndarray:
        """S(0) (contexts, m) with the law of Phi V Theta_0 V^T, Theta_0 ~ N(0, init_scale^2) entrywise.

        Given G the law depends on V only through G: S(0) = init_scale Phi (I+L) Z (I+L)^T, Z (m, m) standard
        normal. With explicit embeddings Theta_0 (d, d) itself is drawn.
        """
        size = self.vocabulary_size
        if self.embeddings is not None:
            dimension = self.embeddings.shape[1]
            return self.logits_of(features, init_scale * rng.normal(size=(dimension, dimension)))
        noise = init_scale * rng.normal(size=(size, size))
        if self.factor_excess is not None:
            noise = noise + self.factor_excess @ noise  # (m, m) x (m, m)
            noise = noise + noise @ self.factor_excess.T  # (m, m) x (m, m)
        elif not self.is_identity:
            raise ValueError("initial logits need the embeddings or a factor of G; build it with explicit or draw")
        return features @ noise  # (contexts, m) x (m, m) -> (contexts, m)

    def logits_of(self, features: csr_array, theta: np.ndarray) -> np.ndarray:
        """S = Phi V Theta V^T (contexts, m) for given Theta (d, d). Raises ValueError without embeddings."""
        if self.embeddings is None:
            raise ValueError("these embeddings were never drawn, only their Gram matrix; use Gram.explicit")
        # (contexts, m) x (m, d) x (d, d) x (d, m) -> (contexts, m)
        return (features @ self.embeddings) @ theta @ self.embeddings.T


def chi_square_excess(dimension: float, lost: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws of chi^2_(d - lost) / d - 1, shape of `lost`, exactly distributed, without cancellation at any d.

    Marsaglia and Tsang (ACM TOMS 26, 2000): with a = k/2, d' = a - 1/3, y = x / (3 sqrt(d')), x normal,
    v = (1 + y)^3, d' v is Gamma(a) when accepted with probability exp(x^2/2 + d'(1 - v + log v)). Then
    chi^2_k/d - 1 = (v - 1) - (lost + 2/3)/d v with v - 1 = y(3 + y(3 + y)). Below 2 degrees of freedom,
    where there is nothing to cancel, the generator's own chi-square is used.
    """
    freedom = dimension - lost
    few = freedom < 2.0
    reduced = np.where(few, 1.0, freedom / 2.0 - 1.0 / 3.0)
    deviation = np.zeros(len(lost))
    pending = np.flatnonzero(~few)
    while len(pending):
        y = rng.normal(size=len(pending)) / (3.0 * np.sqrt(reduced[pending]))
        log_uniform = np.log1p(-rng.random(size=len(pending)))  # of U in (0, 1]
        possible = y > -1.0
        accepted = possible & (log_uniform < reduced[pending] * _log_acceptance(np.where(possible, y, 0.0)))
        deviation[pending[accepted]] = y[accepted]
        pending = pending[~accepted]
    cube_excess = deviation * (3.0 + deviation * (3.0 + deviation))  # v - 1
    excess = cube_excess - (lost + 2.0 / 3.0) / dimension * (1.0 + cube_excess)
    excess[few] = rng.chisquare(freedom[few]) / dimension - 1.0
    return excess


def _log_acceptance(y: np.ndarray) -> np.ndarray:
    """9 y^2/2 + 1 - (1+y)^3 + 3 log(1+y) = 3 (log(1+y) - y + y^2/2 - y^3/3), of order y^4; never positive."""
    near = np.abs(y) < SERIES_RADIUS
    power = np.arange(4, SERIES_DEGREE + 1)
    coefficient = np.concatenate([np.zeros(4), -3.0 * (-1.0) ** power / power])
    series = np.polynomial.polynomial.polyval(np.where(near, y, 0.0), coefficient)
    return np.where(near, series, 3.0 * (np.log1p(y) - y + y**2 / 2.0 - y**3 / 3.0))
