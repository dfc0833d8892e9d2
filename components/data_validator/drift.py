"""How far a run's training data is from that of the last blessed model."""

import os
from collections.abc import Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.dsl.io import fileio

from components.artifact_file import write_artifact_file
from components.data_validator.config import ValidationConfig
from components.data_validator.shares import chance, mean_chance, numbers, shares, shift
from components.example_files import TEXT, TEXT_PAIR, joined_texts, read_columns
from components.vocabulary_gen.measures import count_words, measure
from models.config import Config

DRIFT_FILE = "drift.json"
DISTRIBUTIONS = ("label", "length_band")
NOTHING_EARLIER = "no other data has led to a blessed model: there is nothing to compare with"


class TextProfile(Config):
    """The texts of a train split, as the model's vocabulary sees them.

    Attributes:
        texts: their number.
        words_per_text: mean.
        pieces_per_word: mean; it rises where the vocabulary fits worse.
        coverage: share of the pieces that are not [UNK].
    """

    texts: int
    words_per_text: float
    pieces_per_word: float
    coverage: float


class Change(Config):
    """One measure, then and now.

    Attributes:
        measure: "label", "length_band", "words_per_text", "pieces_per_word" or "coverage".
        difference: largest difference of a share (L∞) for the first two (of a numeric label the difference
            of the means, in the earlier standard deviations), a relative change for the next two, the drop
            for the last.
        allowed: the most that is no drift.
        sentence: the above for people.
    """

    measure: str
    difference: float
    allowed: float
    sentence: str

    @property
    def is_drift(self) -> bool:
        """Whether it is more than allowed."""
        return self.difference > self.allowed


class Drift(Config):
    """What `drift.json` of the anomalies artifact holds.

    Attributes:
        compared_with: the folder of the earlier statistics, None if there are none.
        profile: of this run's train split; None without a vocabulary.
        changes: all that was compared.
        warnings: sentences about what has drifted, or that nothing could be compared.
    """

    compared_with: str | None
    profile: TextProfile | None
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]

    @property
    def drifted(self) -> tuple[Change, ...]:
        """What is more than allowed."""
        return tuple(change for change in self.changes if change.is_drift)

    def write(self, uri: str) -> None:
        """Writes `drift.json` into the artifact's folder, whole or not at all."""
        fileio.makedirs(uri)
        write_artifact_file(os.path.join(uri, DRIFT_FILE), self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, uri: str) -> "Drift | None":
        """Reads what `write` wrote, None if it wrote nothing there."""
        path = os.path.join(uri, DRIFT_FILE)
        if not fileio.exists(path):
            return None
        with fileio.open(path) as file:
            return cls.model_validate_json(file.read())


def text_profile(files: Sequence[str], vocabulary: str) -> TextProfile:
    """Measures the texts of a split.

    Args:
        files: gzipped TFRecord of examples with `text`, and perhaps `text_pair`.
        vocabulary: path of a vocab.txt.
    """
    with fileio.open(vocabulary, "rb") as file:
        pieces_of = measure("wordpiece", file.read()).pieces
    texts = words = pieces = unknown = 0
    for columns in read_columns(files, [TEXT, TEXT_PAIR], optional=[TEXT_PAIR]):
        batch = joined_texts(columns)
        found = pieces_of(batch)
        texts += len(batch)
        words += count_words("wordpiece", batch).total()
        pieces += found["pieces"]
        unknown += found["unknown"]
    return TextProfile(
        texts=texts,
        words_per_text=words / max(1, texts),
        pieces_per_word=pieces / max(1, words),
        coverage=1 - unknown / max(1, pieces),
    )


def distribution_changes(
    now: statistics_pb2.DatasetFeatureStatisticsList,
    earlier: statistics_pb2.DatasetFeatureStatisticsList,
    max_drift: float,
) -> list[Change]:
    """Compares the shares of the labels and of the length bands, beyond what chance explains.

    Of numbers the means are compared, in the earlier standard deviations.
    """
    allowed = min(1.0, max_drift + chance(now, earlier))
    changes = _number_changes(now, earlier, max_drift)
    for name in DISTRIBUTIONS:
        then, found = shares(earlier, name), shares(now, name)
        if not then or not found:
            continue
        values = sorted(then.keys() | found.keys())
        differences = [found.get(value, 0.0) - then.get(value, 0.0) for value in values]
        place = int(np.argmax(np.abs(differences)))
        value = values[place]
        changes.append(
            Change(
                measure=name,
                difference=abs(differences[place]),
                allowed=allowed,
                sentence=f"{name} {value!r} has a share of {found.get(value, 0.0):.1%} of the train split, "
                f"{then.get(value, 0.0):.1%} in the last blessed model's",
            )
        )
    return changes


def _number_changes(
    now: statistics_pb2.DatasetFeatureStatisticsList,
    earlier: statistics_pb2.DatasetFeatureStatisticsList,
    max_drift: float,
) -> list[Change]:
    then, found = numbers(earlier, "label"), numbers(now, "label")
    if then is None or found is None:
        return []
    return [
        Change(
            measure="label",
            difference=shift(then, found),
            allowed=max_drift + mean_chance(now, earlier),
            sentence=f"the mean label of the train split is {found.mean:.4g}, that of the last blessed "
            f"model's {then.mean:.4g} (standard deviation {then.deviation:.4g})",
        )
    ]


def profile_changes(
    now: TextProfile, earlier: TextProfile, config: ValidationConfig
) -> list[Change]:
    """Compares length and fit to the vocabulary."""
    relative = [
        ("words_per_text", "words a text", config.max_length_change),
        ("pieces_per_word", "pieces of the vocabulary a word", config.max_pieces_change),
    ]
    changes = []
    for name, told, allowed in relative:
        found, then = getattr(now, name), getattr(earlier, name)
        changes.append(
            Change(
                measure=name,
                difference=abs(found / then - 1) if then else 0.0,
                allowed=allowed,
                sentence=f"the train split has {found:.4g} {told}, the last blessed model's {then:.4g}",
            )
        )
    changes.append(
        Change(
            measure="coverage",
            difference=earlier.coverage - now.coverage,
            allowed=config.max_coverage_drop,
            sentence=f"the vocabulary covers {now.coverage:.2%} of the train split, "
            f"{earlier.coverage:.2%} of the last blessed model's",
        )
    )
    return changes
