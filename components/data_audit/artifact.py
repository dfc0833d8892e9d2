"""The audit artifact."""

from tfx.types import artifact


class DataAudit(artifact.Artifact):
    """Folder with `audit.json` (components.data_audit.report.Audit)."""

    # One dot and no PROPERTIES: what Kubeflow Pipelines v2 accepts and can import again.
    TYPE_NAME = "components.DataAudit"
