"""The vocabulary artifact."""

from tfx.types import artifact


class Vocabulary(artifact.Artifact):
    """Folder with `vocab.txt` (WordPiece) or `sentencepiece.model` (BPE), and `report.json`."""

    # One dot and no PROPERTIES: what Kubeflow Pipelines v2 accepts and can import again.
    TYPE_NAME = "components.Vocabulary"
