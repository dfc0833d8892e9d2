"""Finds the folder of a run."""

from pathlib import Path

from pipeline.configs import RunConfig, local_paths
from pipeline.report.run_record import SUMMARY_FILE, RunError


def run_folder(config: RunConfig, run_id: str | None = None) -> Path:
    """The folder of a run of this config, the newest that has ended by default.

    Raises:
        RunError: there is none.
    """
    base = local_paths(config)["runs"]
    ended = sorted(path.parent for path in base.glob(f"*/{SUMMARY_FILE}"))
    if run_id is None and ended:
        return ended[-1]
    for folder in ended:
        if folder.name == run_id:
            return folder
    known = ", ".join(folder.name for folder in ended[-5:])
    raise RunError(
        f"{base}: no finished run{f' {run_id!r}' if run_id else ''}; "
        + (f"the latest are {known}" if known else "python -m pipeline run makes one")
    )
