"""The model card artifact."""

from tfx.types import artifact

MARKDOWN_FILE, JSON_FILE = "model_card.md", "model_card.json"


class ModelCard(artifact.Artifact):
    """Folder with `model_card.md` and `model_card.json`, and what `components.pushed_data` will look for."""

    # One dot and no PROPERTIES: what Kubeflow Pipelines v2 accepts and can import again.
    TYPE_NAME = "components.ModelCard"
