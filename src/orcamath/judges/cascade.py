"""Judges from cheap to dear: rules; math-verify on the rows that rules leave open; a model, where given, on what is still open.

Every later judge sees only what the earlier ones left `unjudged`. What nobody decides stays `unjudged`, with the last reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from orcamath.judges.math_verify import MathVerify
from orcamath.judges.model import WINDOW, ModelJudge
from orcamath.judges.model import make as make_model
from orcamath.judges.rules import RulesJudge, Ruling, rule, short_reference
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Comparison, Finding
from orcamath.records import digest
from orcamath.store.ledger import Remembered

__all__ = ["CascadeJudge", "make"]

AHEAD = 4
"""Windows of a model that are gone through, at most, to fill one with what rules leave open; where calls are not batched, one."""
COMPARABLE = frozenset({"unclear_form"})
"""Doubts about two readable answers, which algebra may settle; doubts about *which* answer is meant it cannot."""


class CascadeJudge:
    """Rules, then math-verify, then a model; each only on what is left."""

    def __init__(self, math_verify: MathVerify | None = None, model: ModelJudge | None = None) -> None:
        self.math_verify = math_verify
        self.model = model

    @property
    def fingerprint(self) -> str:
        """Everyone who may decide, and in which order."""
        return digest(
            "cascade",
            RulesJudge().fingerprint,
            f"math-verify {version('math-verify')}" if self.math_verify else None,
            self.model.fingerprint if self.model else None,
        )

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        """Judge in order, a window at a time: a batch API is handed a window of what rules leave open."""
        most = self.model.window if self.model is not None else WINDOW
        ahead = most * AHEAD if most > WINDOW else most
        findings, left = list[Finding](), dict[int, Comparison]()
        for comparison in comparisons:
            finding = self._without_model(comparison)
            if finding.outcome == "unjudged":
                left[len(findings)] = comparison
            findings.append(finding)
            if len(left) == most or len(findings) == ahead:
                yield from self._completed(findings, left)
                findings, left = [], {}
        yield from self._completed(findings, left)

    def _completed(self, findings: list[Finding], left: Mapping[int, Comparison]) -> list[Finding]:
        """Have the model, where there is one, decide what is left."""
        if self.model is not None:
            for i, finding in zip(left, self.model(left.values()), strict=True):
                findings[i] = finding
        return findings

    def _without_model(self, comparison: Comparison) -> Finding:
        ruling = rule(comparison)
        if ruling.agrees is None and self.math_verify is not None and ruling.reason in COMPARABLE:
            return self._by_algebra(comparison, ruling)
        return Finding(ruling.outcome, "rules", ruling.reason)

    def _by_algebra(self, comparison: Comparison, ruling: Ruling) -> Finding:
        reference = short_reference(comparison)
        readable = reference and ruling.raw and "_" not in reference + ruling.raw  # it drops the base of 101_2
        equal = self.math_verify(reference, ruling.raw) if self.math_verify and reference and readable else None
        if equal:
            # a `no` is not believed: sympy knows no units, clock times or rounding
            return Finding("agrees", "math-verify", "equal")
        return Finding("unjudged", "rules", ruling.reason)


def make(settings: JudgeSettings, model: Remembered | None) -> CascadeJudge:
    """Return the cascade; without a model it ends with math-verify."""
    math_verify = MathVerify(settings.timeout_s) if settings.math_verify else None
    return CascadeJudge(math_verify, make_model(settings, model) if model is not None else None)
