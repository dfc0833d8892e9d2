"""The summary holds what the audit found and what has drifted."""

from types import SimpleNamespace

from components.data_validator.drift import NOTHING_EARLIER, Drift
from pipeline import results
from pipeline.local_runner import RAN, NodeRun


def run(node, key, uri) -> NodeRun:
    return NodeRun(node, RAN, 1.0, {key: [SimpleNamespace(uri=str(uri))]})


def test_drift_is_in_the_summary(tmp_path):
    drift = Drift(compared_with=None, profile=None, changes=(), warnings=(NOTHING_EARLIER,))
    drift.write(str(tmp_path))
    found = results.drift([run("DataValidator", "anomalies", tmp_path)])
    assert found["warnings"] == [NOTHING_EARLIER]


def test_an_older_artifact_has_no_drift(tmp_path):
    assert results.drift([run("DataValidator", "anomalies", tmp_path)]) is None


def test_nothing_of_components_that_did_not_run():
    assert results.audit([]) is None
    assert results.drift([]) is None
