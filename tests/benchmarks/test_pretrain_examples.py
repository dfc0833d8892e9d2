"""The pretraining examples' benchmark on a few citations."""

import gzip

import pytest
import tensorflow as tf

from benchmarks.pretrain_examples.data import prepare
from benchmarks.pretrain_examples.ours import measure
from benchmarks.pretrain_examples.work import EVAL, PEER_TEXT, SENTENCES, TEXTS, TRAIN
from components.pretrain_example_gen.config import PretrainExamplesConfig

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "heart", "fails", "lung", "."]
TEXT = "The heart fails. The lung fails."
DOCUMENTS = 300
CITATION = """<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{}</PMID><Article>
<Journal><JournalIssue><PubDate><Year>1979</Year></PubDate></JournalIssue><Title>J</Title></Journal>
<ArticleTitle></ArticleTitle><Abstract><AbstractText>{}</AbstractText></Abstract><Language>eng</Language>
<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList>
</Article></MedlineCitation></PubmedArticle>"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain_examples")
    (folder / "source").mkdir()
    citations = "".join(CITATION.format(number, TEXT) for number in range(1, DOCUMENTS + 1))
    with gzip.open(folder / "source" / "a.xml.gz", "wt") as file:
        file.write(f"<PubmedArticleSet>{citations}</PubmedArticleSet>")
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    return folder, prepare(folder / "source", folder / "data", peer_every=20)


def texts(folder) -> list[str]:
    files = sorted(map(str, folder.glob("*.gz")))
    rows = tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    features = (tf.train.Example.FromString(row).features.feature for row in rows)
    return [feature["text"].bytes_list.value[0].decode() for feature in features]


def test_both_sides_get_the_same_texts(prepared):
    folder, sizes = prepared
    counts = [len(texts(folder / "data" / TEXTS / f"Split-{split}")) for split in (TRAIN, EVAL)]
    assert sum(counts) == sizes["documents"] == DOCUMENTS
    assert sizes["bytes"] == DOCUMENTS * len(TEXT)
    assert set(texts(folder / "data" / SENTENCES / f"Split-{TRAIN}")) == {TEXT.replace(". ", ".\n")}
    peer = (folder / "data" / PEER_TEXT).read_text().split("\n\n")[:-1]
    assert peer == [TEXT.replace(". ", ".\n")] * (sizes["peer_bytes"] // len(TEXT))
    assert 10 <= len(peer) <= DOCUMENTS / 20


def test_the_component_is_timed_on_as_many_copies_as_asked(prepared):
    folder, sizes = prepared
    config = PretrainExamplesConfig(max_length=32, documents_per_shard=1000)
    result = measure(folder / "data" / TEXTS, str(folder), config, copies=2, workers=1)
    assert result["seconds"] > 0
    assert result["peak_mb"] > 1
    read = sum(result["splits"][split]["read"] for split in (TRAIN, EVAL))
    assert read == 2 * sizes["documents"]
    assert all(result["splits"][split]["rows_checked"] > 0 for split in (TRAIN, EVAL))
