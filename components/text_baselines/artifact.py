"""The baselines artifact."""

from tfx.types import artifact


class TextBaselines(artifact.Artifact):
    """Folder with `metrics.json`, and for each baseline a folder with its `predictions.parquet`."""

    # One dot and no PROPERTIES: what Kubeflow Pipelines v2 accepts and can import again.
    TYPE_NAME = "components.TextBaselines"
