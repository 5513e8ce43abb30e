"""Several metrics: any of them may abort, and together they falsely abort no more often than one.

Abort when Σ_k w_k·E_k ≥ 1/α, where the weights sum to 1. The mean of e-values is one whatever their dependence
(Vovk & Wang, "E-values: calibration, combination and applications", Annals of Statistics 2021), and never worse
than Bonferroni, which asks that one of w_k·E_k alone reaches 1/α. Breaks when: weights are chosen after
looking.

Promotion asks for every metric, so α is not split there (intersection-union; Schultzberg, Ankargren & Frånberg,
arXiv 2402.11609).
"""

import math
from collections.abc import Mapping

from davy.analysis.judge.bets import log_sum


def log_mean(log_evidence: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return ln Σ w·E over the metrics; the weights of those that are there have to sum to 1."""
    return log_sum(math.log(weights[name]) + log for name, log in log_evidence.items())


def driver(log_evidence: Mapping[str, float], weights: Mapping[str, float]) -> str:
    """Return the metric that contributes most."""
    return max(log_evidence, key=lambda name: math.log(weights[name]) + log_evidence[name])
