"""What serving validation found: validation.json, and the reason on the blessing artifact."""

import dataclasses
import json
import os
from collections.abc import Sequence

from tfx.dsl.io import fileio

from components.artifact_file import write_artifact_file
from components.serving_validator.comparison import Comparison

REPORT_FILE = "validation.json"

_MAX_MISMATCHES = 20  # written out for each way of asking; the reason tells how many there were


@dataclasses.dataclass(frozen=True)
class Report:
    """One validation.

    Attributes:
        reason: why the candidate is not blessed; empty if it is.
        server: which server answered; empty if none did.
        tolerance: largest absolute difference that was let pass.
        seconds: from starting the server to the last comparison.
        comparisons: one for each way the candidate was asked.
    """

    reason: str
    server: str
    tolerance: float
    seconds: float
    comparisons: Sequence[Comparison] = ()

    @property
    def blessed(self) -> bool:
        """Whether every answer agreed."""
        return not self.reason

    def write(self, folder: str) -> str:
        """Writes validation.json into `folder`; returns its path."""
        shown = [
            dataclasses.replace(comparison, mismatches=comparison.mismatches[:_MAX_MISMATCHES])
            for comparison in self.comparisons
        ]
        document = {
            "blessed": self.blessed,
            **dataclasses.asdict(dataclasses.replace(self, comparisons=shown)),
        }
        path = os.path.join(folder, REPORT_FILE)
        fileio.makedirs(folder)
        write_artifact_file(path, json.dumps(document, indent=1))
        return path


def reason(comparisons: Sequence[Comparison]) -> str:
    """The first mismatch and how many there are in all; empty if there is none."""
    mismatches = [mismatch for comparison in comparisons for mismatch in comparison.mismatches]
    if not mismatches:
        return ""
    asked = sum(comparison.texts for comparison in comparisons)
    return f"{len(mismatches)} mismatches in {asked} answers; the first: {mismatches[0]}"
