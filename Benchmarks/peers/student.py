"""Student's t, for means of so few runs that their spread is only estimated."""

import math
import statistics

# That of three standard deviations of a normal distribution, on both sides.
THREE_SIGMA = 0.9973


def quantile(probability: float, freedom: int) -> float:
    """t that Student's distribution with so many degrees of freedom stays within, on both sides, with a probability.

    With t = √ν·tan φ, P(|T| ≤ t) = 2·Γ((ν + 1)/2) / (√π·Γ(ν/2)) · ∫ cos^(ν − 1) from 0 to φ: by Simpson's rule, and φ
    by bisection; to six digits up to ν = 1000.
    """
    scale = 2 * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)

    def within(angle: float, parts: int = 200) -> float:
        values = [math.cos(angle * part / parts) ** (freedom - 1) for part in range(parts + 1)]
        inner = 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])
        return scale * (values[0] + inner + values[-1]) * angle / parts / 3

    low, high = 0.0, math.pi / 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < probability else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def allowed_difference(first: list[float], second: list[float]) -> tuple[float, float, int]:
    """How far the means of two samples of n numbers, two at least, may lie apart by chance.

    The standard error of their difference, what multiplies it, and of how many degrees of freedom, 2(n − 1), that is.
    """
    count = len(first)
    if len(second) != count or count < 2:
        raise ValueError(f"expected two samples of as many numbers, two at least, found {count} and {len(second)}")
    freedom = 2 * (count - 1)
    error = math.sqrt((statistics.variance(first) + statistics.variance(second)) / count)
    return error, quantile(THREE_SIGMA, freedom), freedom
