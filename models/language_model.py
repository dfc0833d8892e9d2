"""Language models as pretraining, evaluation and export see them: a task, its rows, and folders."""

import abc
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from models.batching import Plan, distribute
from models.config import BackboneConfig, MaskingConfig
from models.examples import Rows
from models.gpt.config import GptConfig
from models.gpt.export import export_generator
from models.gpt.task import CausalLm
from models.gpt.text_generator import TextGenerator
from models.hf_pretrainer import load_pretrainer, save_pretrainer
from models.masking import MaskedRows, Masking
from models.pretrainer import build_pretrainer
from models.sequence_rows import SequenceRows
from models.tasks import BertPretraining, Task

GENERATOR_FOLDER = "assets.extra/generator"  # of the SavedModel; TensorFlow Serving leaves it alone
_TOKENS_PER_BATCH = 8192


class LanguageModel(abc.ABC):
    """A model that is trained on unlabelled text.

    Attributes:
        task: for `models.training.fit`.
        config: its size.
    """

    task: Task
    config: BackboneConfig | GptConfig

    @abc.abstractmethod
    def rows(self, rows: SequenceRows, seed: int) -> Rows:
        """What the task is trained and measured on; random choices follow from the seed.

        Raises:
            ValueError: a sequence is longer than the model has positions.
        """

    @abc.abstractmethod
    def save(self, folder: str | Path) -> None:
        """Writes the folder that is pushed, which `load` reads."""


class Bert(LanguageModel):
    """Masked tokens and, where there are sentence pairs, next sentences.

    Args:
        config: the backbone's.
        vocabulary: tokens by id.
        masking: what is to be guessed.
        next_sentence: whether there is a head for sentence pairs.
        model: of `build_pretrainer`; a new one by default.
    """

    def __init__(
        self,
        config: BackboneConfig,
        vocabulary: Sequence[str],
        masking: MaskingConfig,
        next_sentence: bool,
        model: keras.Model | None = None,
    ):
        self.config: BackboneConfig = config
        self.vocabulary = tuple(vocabulary)
        self._masking = Masking(vocabulary, masking)
        self.task = BertPretraining(
            model if model is not None else build_pretrainer(config, next_sentence)
        )

    @classmethod
    def load(
        cls,
        folder: str | Path,
        vocabulary: Sequence[str],
        masking: MaskingConfig,
        next_sentence: bool,
    ) -> tuple["Bert", list[str]]:
        """Reads a Hugging Face folder; see `models.hf_pretrainer.load_pretrainer`.

        Returns:
            The model, and the paths of its variables that the folder has nothing for.

        Raises:
            models.hf_weights.WeightsError: the folder holds no BERT.
            ValueError: its vocabulary is another.
        """
        model, config, missing = load_pretrainer(folder, next_sentence)
        if config.vocabulary_size != len(vocabulary):
            raise ValueError(
                f"{folder} knows {config.vocabulary_size} tokens, the vocabulary has {len(vocabulary)}: "
                "import the vocabulary of these weights"
            )
        return cls(config, vocabulary, masking, next_sentence, model), missing

    def rows(self, rows: SequenceRows, seed: int) -> Rows:
        """The rows, masked anew in each epoch."""
        _check_positions(rows, self.config)
        return MaskedRows(rows, self._masking, seed)

    def save(self, folder: str | Path) -> None:
        """Writes a Hugging Face folder: fine-tuning starts from it."""
        save_pretrainer(self.task.model, self.config, self.vocabulary, folder)


class Gpt(LanguageModel):
    """Next tokens.

    Args:
        generator: decoder and tokenizer.
    """

    def __init__(self, generator: TextGenerator):
        self.generator, self.config = generator, generator.config
        self.task = CausalLm(generator.model)

    def rows(self, rows: SequenceRows, seed: int) -> Rows:
        """The rows as they are."""
        _check_positions(rows, self.config)
        return rows

    @classmethod
    def load(cls, folder: str | Path) -> "Gpt":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: the folder holds no generator.
        """
        return cls(TextGenerator.load(Path(folder, GENERATOR_FOLDER)))

    def save(self, folder: str | Path) -> None:
        """Writes a SavedModel, and the generator among its extra assets."""
        keras_folder = Path(folder, GENERATOR_FOLDER)
        self.generator.save(keras_folder)
        # Loaded anew: in float32, and with variables of no strategy.
        export_generator(TextGenerator.load(keras_folder), str(folder))


def _check_positions(rows: SequenceRows, config: BackboneConfig | GptConfig) -> None:
    """Looked up beyond its end, a table of positions gives an error on a CPU, but zeros on a GPU."""
    longest = int(rows.sequence_lengths.max(initial=0))
    if longest > config.max_sequence_length:
        raise ValueError(
            f"a sequence has {longest} ids, the model {config.max_sequence_length} positions: lower "
            "examples.max_length"
        )


def measure(model: LanguageModel, rows: SequenceRows, seed: int) -> dict[str, float]:
    """Means of the task's metrics over all rows, without dropout.

    Args:
        model: what is measured.
        rows: not empty.
        seed: of the masks.

    Returns:
        Losses in nats, accuracies, and the loss of tokens as `perplexity`, exp of it.
    """
    measured = model.rows(rows, seed)
    plan = Plan(measured.lengths, tokens_per_batch=_TOKENS_PER_BATCH)
    batches = distribute(tf.distribute.get_strategy(), measured, plan)

    @tf.function(reduce_retracing=True, autograph=False)
    def sums(batch: Mapping[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        return model.task.sums({name: parts[0] for name, parts in batch.items()}, training=False)

    totals: dict[str, list[float]] = {}
    for _ in range(len(plan)):
        for name, (total, weight) in sums(next(batches)).items():
            so_far = totals.setdefault(name, [0.0, 0.0])
            so_far[0] += float(total)
            so_far[1] += float(weight)
    means = {name: total / weight for name, (total, weight) in totals.items() if weight}
    return means | {"perplexity": math.exp(min(means.get("mlm_loss", means["loss"]), 700.0))}
