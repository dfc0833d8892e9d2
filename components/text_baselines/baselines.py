"""The majority class, and a linear SVM on TF-IDF weights of words and pairs of words."""

import abc
from collections.abc import Sequence

import numpy as np
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

MAJORITY, TFIDF_SVM = "majority", "tfidf_svm"


class Baseline(abc.ABC):
    """Learns once and then answers.

    Attributes:
        classes: the labels learnt, sorted.
    """

    classes: tuple[str, ...]

    @abc.abstractmethod
    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Float64 [texts, classes]; a row sums to 1, and its largest is the answer."""


class Majority(Baseline):
    """Says the classes' shares among the training labels, whatever it is asked."""

    def __init__(self, labels: Sequence[str]):
        names, counts = np.unique(np.array(labels, object), return_counts=True)
        self.classes = tuple(names.tolist())
        self._shares = counts / counts.sum()

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """As the base class says."""
        return np.tile(self._shares, (len(texts), 1))


class TfidfSvm(Baseline):
    """One linear SVM for each class against the rest (Joachims, ECML 1998).

    The scores are the softmax of the distances to the planes: in the right order, but no calibrated
    probabilities.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[str]):
        self._model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
            LinearSVC(C=1.0, random_state=0),
        )
        self._model.fit(texts, labels)
        self.classes = tuple(map(str, self._model.classes_))

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """As the base class says."""
        distances = self._model.decision_function(texts)
        if len(self.classes) == 2:  # one plane between the two
            distances = np.stack([-distances, distances], axis=1)
        return softmax(distances, axis=1)


def fit_all(texts: Sequence[str], labels: Sequence[str]) -> dict[str, Baseline]:
    """Both baselines, learnt from the same examples.

    Args:
        texts: to learn from.
        labels: of each.

    Raises:
        ValueError: there is no text, or all labels are the same, or no word is in two texts.
    """
    if not texts:
        raise ValueError("there are no examples to learn from")
    return {MAJORITY: Majority(labels), TFIDF_SVM: TfidfSvm(texts, labels)}
