"""The defect integral of an integrated flow enclosed in balls (Arb): a certified error bound for one
instance.

The trajectory is a piecewise polynomial in tau = log(1 + t) with floating-point coefficients, taken as
exact; so are G = I + E, Phi, f, Bhat and S(0). On each part of a step, with u in [-1, 1], Taylor arithmetic
encloses D(u) = dC/dtau - e^tau F R(S(C)) = sum_{k<p} D_k u^k + D_p([-1, 1]) u^p, the last coefficient being
evaluated on the whole part (Lagrange's remainder). Then integral |D| du <= sqrt(2 integral |sum D_k u^k|^2
du) + 2 |D_p| / (p + 1). Every sum is rounded outwards. What the bound covers is the parameters; observables
are read off in floating point.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import arb, arb_mat, arb_series, ctx
from scipy.linalg import cholesky, eigvalsh

from numerics.logit_flow import LogitFlow
from numerics.piecewise import Piece
from theory.claim import Evidence

# Bits: the defect is a difference of terms of order one that agree to 1e-9, and the ball arithmetic must
# add nothing.
PRECISION = 128

# p, above the degree of a Piece, so that the polynomial itself has no remainder.
TAYLOR_ORDER = 14

# A part whose remainder exceeds this share of its bound is halved, at most this many times.
REMAINDER_SHARE = 0.1
MOST_HALVINGS = 6

UNIT = arb(0, 1)  # the ball [-1, 1]


@contextmanager
def _balls() -> Iterator[None]:
    """Work at PRECISION bits with power series up to u^p."""
    cap = ctx.cap
    ctx.cap = TAYLOR_ORDER + 1
    try:
        with ctx.workprec(PRECISION):
            yield
    finally:
        ctx.cap = cap


@dataclass(frozen=True, eq=False)
class CertifiedDefect:
    """The measures of `error_bound.Defect` as rigorous upper bounds; feasible for some thousand coordinates.

    Raises ValueError when G = I + E is not certainly positive definite (an embedding dimension below m),
    for then the norm of the convexity argument is none; and on tasks whose rows have several targets.
    """

    flow: LogitFlow
    evidence: Evidence = "certified"
    reason: str = "convexity of the loss; the defect of every step enclosed in balls (Arb), G, S(0) and f as stored"

    def __post_init__(self) -> None:
        if not self.flow.kernels.task.single_target:
            raise ValueError("only single-target flows are certified: the bound of a stiff flow would say nothing")
        with _balls():
            if not _positive_definite(self.flow.kernels.gram.excess):
                raise ValueError(
                    "the Gram matrix is not certainly positive definite, so the error cannot be certified: "
                    "use an embedding dimension above the vocabulary size"
                )

    def jump(self, before: Piece | None, piece: Piece) -> float:
        """|C(start+) - C(start-)| in parameters, rounded up. Raises ValueError on a gap between pieces."""
        if piece.start != (0.0 if before is None else before.end):
            raise ValueError(f"a piece begins at {piece.start} where the one before it does not end")
        with _balls():
            gap = self._at(piece, arb(-1))
            if before is not None:
                gap = gap - self._at(before, arb(1))
            return self._norm(gap)

    def integral(self, piece: Piece) -> float:
        """An upper bound of the integral of |D| dtau over the piece."""
        with _balls():
            coefficients = [_matrix(c) for c in piece.coefficients]
            logits = [self._apply(c) for c in coefficients]
            return self._part(piece, coefficients, logits, -1.0, 1.0, MOST_HALVINGS)

    def evaluation(self, piece: Piece, time: float, coordinates: np.ndarray) -> float:
        """Rounding of the reported coordinates, and that of tau = log(1 + t) times the largest speed."""
        log_time = float(np.clip(np.log1p(time), piece.start, piece.end))
        with _balls():
            local = (2 * arb(log_time) - piece.start - piece.end) / (arb(piece.end) - piece.start)
            rounding = self._norm(_matrix(coordinates) - self._at(piece, local))
            delay = abs(arb(time).log1p() - log_time)
            # |dTheta/dtau| <= (1+t) sum_a f_a |phi_a V| sum_j |R_aj| |v_j|, and sum_j |R_aj| <= 2
            lengths = [(1 + arb(float(e))).sqrt() for e in np.diag(self.flow.kernels.gram.excess)]
            longest = max(_upper(length) for length in lengths)
            contexts = max(_upper(self._input[a, a].sqrt()) for a in range(self.flow.shape[0]))
            return float(np.nextafter(rounding + _upper(delay * 2 * (1 + arb(time)) * longest * contexts), np.inf))

    # -- exact data in balls -------------------------------------------------------------------------------
    @cached_property
    def _output(self) -> arb_mat:
        """K_out = I + E."""
        return _gram(self.flow.kernels.gram.excess)

    @cached_property
    def _input(self) -> arb_mat:
        """K_AA = Phi_A (I + E) Phi_A^T."""
        features = _matrix(self.flow.kernels.task.features[: self.flow.shape[0]].toarray())
        return features * self._output * features.transpose()

    @cached_property
    def _start(self) -> arb_mat:
        """S_A(0)."""
        return _matrix(self.flow.initial_logits[: self.flow.shape[0]])

    # -- linear algebra ------------------------------------------------------------------------------------
    def _apply(self, coordinates: arb_mat) -> arb_mat:
        """K_AA C K_out."""
        return self._input * coordinates * self._output

    def _norm(self, coordinates: arb_mat) -> float:
        """An upper bound of |V_A^T C V|_F."""
        image = self._apply(coordinates)
        return _root(sum((x * y for x, y in zip(coordinates.entries(), image.entries(), strict=True)), arb(0)))

    def _at(self, piece: Piece, local: arb) -> arb_mat:
        """The polynomial at s = local."""
        value = _matrix(piece.coefficients[-1])
        for coefficient in piece.coefficients[-2::-1]:
            value = value * local + _matrix(coefficient)
        return value

    # -- the defect ----------------------------------------------------------------------------------------
    def _part(
        self,
        piece: Piece,
        coefficients: list[arb_mat],
        logits: list[arb_mat],
        low: float,
        high: float,
        halvings: int,
    ) -> float:
        """The bound over low <= s <= high; low and high are dyadic, so exact."""
        centre, radius = arb((low + high) / 2), arb((high - low) / 2)
        half = (arb(piece.end) - piece.start) / 2 * radius  # dtau/du
        log_time = (arb(piece.start) + piece.end) / 2 + (arb(piece.end) - piece.start) / 2 * centre
        moved = _shifted(logits, centre, radius)

        velocity = self._velocity(moved, log_time, half)
        position = _shifted(coefficients, centre, radius)
        for k in range(1, len(position)):
            velocity[k - 1] = velocity[k - 1] - position[k] * (k / half)  # dC/dtau = (1/half) dC/du
        polynomial = _mean_square(velocity[:TAYLOR_ORDER], [self._apply(d) for d in velocity[:TAYLOR_ORDER]])

        whole = self._velocity(_shifted(moved, UNIT, arb(1)), log_time + half * UNIT, half)
        remainder = _upper(arb(self._norm(whole[TAYLOR_ORDER])) * 2 / (TAYLOR_ORDER + 1))
        if remainder > REMAINDER_SHARE * polynomial and halvings:
            middle = (low + high) / 2
            parts = (
                self._part(piece, coefficients, logits, a, b, halvings - 1) for a, b in ((low, middle), (middle, high))
            )
            return _upper(sum((arb(part) for part in parts), arb(0)))
        return _upper(half * (arb(polynomial) + remainder))

    def _velocity(self, change: list[arb_mat], log_time: arb, half: arb) -> list[arb_mat]:
        """Taylor coefficients in u, up to u^p, of e^tau F R(S_A(0) + change), as (N, m) matrices."""
        rows, size = self.flow.shape
        task = self.flow.kernels.task
        share = task.target_distribution.toarray()
        growth = arb_series([log_time, half]).exp()
        table: list[list[arb_series]] = []
        for a in range(rows):
            exponentials = [
                arb_series([self._start[a, j] + change[0][a, j]] + [c[a, j] for c in change[1:]]).exp()
                for j in range(size)
            ]
            factor = growth * float(task.context_weight[a])
            total = sum(exponentials, arb_series([0]))
            # a part so wide that the sum may vanish gets the whole line, an infinite bound, and is halved
            scale = factor / total if total[0] > 0 else arb_series([arb(0, np.inf)])
            table.append(
                [factor * float(share[a, j]) - scale * exponential for j, exponential in enumerate(exponentials)]
            )
        return [arb_mat(rows, size, [entry[k] for row in table for entry in row]) for k in range(TAYLOR_ORDER + 1)]


def _matrix(array: np.ndarray) -> arb_mat:
    """A floating-point matrix as exact balls."""
    return arb_mat(array.shape[0], array.shape[1], array.ravel().tolist())


def _gram(excess: np.ndarray) -> arb_mat:
    """I + E, the sum rounded outwards."""
    return _matrix(np.eye(len(excess))) + _matrix(excess)


def _upper(ball: arb) -> float:
    """A float not below any point of the ball, in absolute value; infinite where the ball is not finite."""
    if not ball.is_finite():
        return np.inf
    return float(np.nextafter(float(ball.abs_upper()), np.inf))


def _root(square: arb) -> float:
    """An upper bound of the square root of a quantity known to be non-negative."""
    if not square.is_finite():
        return np.inf
    top = square.upper()
    return _upper(top.sqrt()) if top > 0 else 0.0


def _shifted(coefficients: list[arb_mat], centre: arb, radius: arb) -> list[arb_mat]:
    """Coefficients in u of sum_k A_k (centre + radius u)^k, by Horner's scheme for a Taylor shift."""
    shifted = list(coefficients)
    for j in range(len(shifted) - 1):
        for k in range(len(shifted) - 2, j - 1, -1):
            shifted[k] = shifted[k] + shifted[k + 1] * centre
    power = arb(1)
    for k in range(1, len(shifted)):
        power = power * radius
        shifted[k] = shifted[k] * power
    return shifted


def _mean_square(coefficients: list[arb_mat], images: list[arb_mat]) -> float:
    """sqrt(2 integral_{-1}^{1} |sum_k D_k u^k|^2 du), at least the integral of the norm (Cauchy-Schwarz).

    `images` are K_AA D_k K_out; the integral of u^(j+k) is 2/(j+k+1), or 0 for an odd power.
    """
    order, entries = len(coefficients), coefficients[0].nrows() * coefficients[0].ncols()
    left = arb_mat(order, entries, [x for matrix in coefficients for x in matrix.entries()])
    right = arb_mat(order, entries, [x for matrix in images for x in matrix.entries()])
    product = left * right.transpose()  # (p, N m) x (N m, p) -> (p, p)
    even = ((j, k) for j in range(order) for k in range(order) if (j + k) % 2 == 0)
    return _root(2 * sum((product[j, k] * 2 / (j + k + 1) for j, k in even), arb(0)))


def _positive_definite(excess: np.ndarray) -> bool:
    """Whether I + E is certainly positive definite.

    With L a floating-point factor of I + E - c I, L L^T is positive semi-definite whatever rounding did to
    L, and the difference I + E - L L^T, near c I, is positive definite when its rows are diagonally
    dominant in balls.
    """
    size = len(excess)
    smallest = eigvalsh(np.eye(size) + excess, subset_by_index=[0, 0])[0]
    if smallest <= 0.0:
        return False
    factor = _matrix(cholesky((1.0 - smallest / 2.0) * np.eye(size) + excess, lower=True))
    rest = (_gram(excess) - factor * factor.transpose()).tolist()
    return all(rest[i][i] > sum((abs(x) for j, x in enumerate(rest[i]) if j != i), arb(0)) for i in range(size))
