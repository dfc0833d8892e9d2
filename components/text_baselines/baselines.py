"""The commonest answer, and linear models on TF-IDF weights of words and pairs of words."""

import abc
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

from models.config import TaskName

MAJORITY, TFIDF_SVM = "majority", "tfidf_svm"
MEAN, TFIDF_RIDGE = "mean", "tfidf_ridge"  # of numbers
VALUE = "value"  # the one column of a regression's scores


class Baseline(abc.ABC):
    """Learns once and then answers.

    Attributes:
        classes: the labels learnt, sorted; of numbers `VALUE`.
    """

    classes: tuple[str, ...]

    @abc.abstractmethod
    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Float64 [texts, classes].

        Of one class a text, a row sums to 1, and its largest is the answer; of several, each of at least 1/2
        is; of numbers it is the answer.
        """


class Constant(Baseline):
    """Says the same whatever it is asked: the classes' shares of the training examples, or the mean.

    Args:
        classes: names of the columns.
        answer: float [classes].
    """

    def __init__(self, classes: Sequence[str], answer: np.ndarray):
        self.classes = tuple(classes)
        self._answer = answer

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """As the base class says."""
        return np.tile(self._answer, (len(texts), 1))


class TfidfSvm(Baseline):
    """One linear SVM for each class against the rest (Joachims, ECML 1998).

    The scores are the softmax of the distances to the planes: in the right order, but no calibrated
    probabilities.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[str]):
        self._model = _tfidf(LinearSVC(C=1.0, random_state=0))
        self._model.fit(texts, labels)
        self.classes = tuple(map(str, self._model.classes_))

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """As the base class says."""
        distances = self._model.decision_function(texts)
        if len(self.classes) == 2:  # one plane between the two
            distances = np.stack([-distances, distances], axis=1)
        return softmax(distances, axis=1)


class TfidfSvms(Baseline):
    """The same where a text has any number of classes: each plane decides alone.

    The scores are the logistic function of the distances: at least 1/2 on a class's side of its plane.

    Args:
        texts: to learn from.
        has_class: int [texts, classes], 0 or 1.
        classes: names of the columns; one that all texts have, or none, is always or never said.
    """

    def __init__(self, texts: Sequence[str], has_class: np.ndarray, classes: Sequence[str]):
        self.classes = tuple(classes)
        shares = has_class.mean(axis=0)
        self._constant = np.where(shares == 1, 1.0, 0.0)
        self._learned = np.flatnonzero((shares > 0) & (shares < 1))
        self._model = _tfidf(OneVsRestClassifier(LinearSVC(C=1.0, random_state=0)))
        if len(self._learned):
            self._model.fit(texts, has_class[:, self._learned])

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """As the base class says."""
        found = np.tile(self._constant, (len(texts), 1))
        if len(self._learned) and len(texts):
            distances = self._model.decision_function(texts)
            found[:, self._learned] = expit(distances.reshape(len(texts), -1))
        return found


class TfidfRidge(Baseline):
    """Ridge regression (Hoerl and Kennard 1970, Technometrics 12:55) with penalty 1."""

    classes = (VALUE,)

    def __init__(self, texts: Sequence[str], labels: Sequence[float]):
        self._model = _tfidf(Ridge(alpha=1.0, random_state=0))
        self._model.fit(texts, labels)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """As the base class says."""
        return self._model.predict(texts).reshape(-1, 1)


def fit_all(
    texts: Sequence[str], labels: Sequence, task: TaskName = "single_label"
) -> dict[str, Baseline]:
    """Both baselines of a task, learnt from the same examples.

    Args:
        texts: to learn from.
        labels: a class, a list of classes, or a number of each.
        task: which of these.

    Raises:
        ValueError: there is no text, or all labels are the same, or no word is in two texts.
    """
    if not texts:
        raise ValueError("there are no examples to learn from")
    if task == "regression":
        mean = Constant((VALUE,), np.array([np.mean(labels)]))
        return {MEAN: mean, TFIDF_RIDGE: TfidfRidge(texts, labels)}
    if task == "multi_label":
        binarizer = MultiLabelBinarizer().fit(labels)
        has_class, classes = binarizer.transform(labels), binarizer.classes_.tolist()
        majority = Constant(classes, has_class.mean(axis=0))
        return {MAJORITY: majority, TFIDF_SVM: TfidfSvms(texts, has_class, classes)}
    names, counts = np.unique(np.array(labels, object), return_counts=True)
    majority = Constant(names.tolist(), counts / counts.sum())
    return {MAJORITY: majority, TFIDF_SVM: TfidfSvm(texts, labels)}


def _tfidf(model: LinearSVC | OneVsRestClassifier | Ridge) -> Pipeline:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    return make_pipeline(vectorizer, model)
