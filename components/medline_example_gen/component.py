"""ExampleGen of MEDLINE/PubMed citations."""

from tfx.dsl.components.base import executor_spec

from components.example_gen.component import ExampleGen
from components.medline_example_gen.executor import MedlineExecutor


class MedlineExampleGen(ExampleGen):
    """Reads PubMed XML files; constructed with a MedlineConfig.

    Besides `key` (the PMID), `text`, `label` and `length_band` an example holds `title`,
    `abstract`, `section_labels`, `year` (int64, 0 if unknown), `year_band`, `journal`, `language`,
    `publication_type`, `mesh` and `mesh_major` (descriptor UIs).
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(MedlineExecutor)
