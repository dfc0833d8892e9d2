"""What a canary's trial has found, and whether that is good enough."""

from models.config import Config
from pipeline.continuous.config import CanaryConfig


class Answered(Config):
    """How one of the two versions has answered.

    Attributes:
        requests: that were sent.
        failed: those of them without an answer.
        median_seconds: of a request that was answered, None if none was.
        accuracy: share of right answers, None without labels.
    """

    requests: int
    failed: int
    median_seconds: float | None
    accuracy: float | None


class CanaryReport(Config):
    """The canary beside the stable model, asked the same texts.

    Attributes:
        texts: that both have answered.
        span: that they are from.
        stable: the model in service.
        canary: the one on trial.
        disagreement: share of the texts that they label otherwise, None if there is no text.
        p_value: of the paired test that both are equally accurate, None without labels.
    """

    texts: int
    span: int
    stable: Answered
    canary: Answered
    disagreement: float | None
    p_value: float | None

    def objections(self, limits: CanaryConfig) -> list[str]:
        """A sentence for each limit that the canary does not keep; none if it may take over."""
        found = []
        errors = self.canary.failed / self.canary.requests
        if errors > limits.max_errors:
            found.append(
                f"{self.canary.failed} of {self.canary.requests} requests failed, max_errors is "
                f"{limits.max_errors:g}"
            )
        if self.disagreement is None:
            return [*found, "no text was answered by both versions"]
        if self.disagreement > limits.max_disagreement:
            found.append(
                f"it labels {self.disagreement:.1%} of {self.texts} texts otherwise than the stable model, "
                f"max_disagreement is {limits.max_disagreement:g}"
            )
        if self.slowdown and self.slowdown > limits.max_slowdown:
            found.append(
                f"a request takes {self.slowdown:.2f} times as long, max_slowdown is {limits.max_slowdown:g}"
            )
        if self.is_less_accurate(limits.significance):
            found.append(
                f"on span {self.span} its accuracy is {self.canary.accuracy:.3f}, the stable model's "
                f"{self.stable.accuracy:.3f} (p = {self.p_value:.2g})"
            )
        return found

    @property
    def slowdown(self) -> float | None:
        """The canary's median time relative to the stable model's, None if one has not answered."""
        ours, theirs = self.canary.median_seconds, self.stable.median_seconds
        return ours / theirs if ours and theirs else None

    def is_less_accurate(self, significance: float) -> bool:
        """Whether the paired test says so."""
        ours, theirs = self.canary.accuracy, self.stable.accuracy
        if ours is None or theirs is None or self.p_value is None:
            return False
        return ours < theirs and self.p_value < significance
