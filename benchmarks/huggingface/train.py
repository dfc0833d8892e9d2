"""Fine-tunes a text classifier with Transformers for one epoch and prints one line of JSON.

`.venv-huggingface/bin/python -m benchmarks.huggingface.train --data FOLDER --weights FOLDER`, with the
packages of requirements.txt; imports nothing else. FOLDER of the data holds train.jsonl and test.jsonl
(`text`, `label`), that of the weights a Hugging Face BERT.

The recipe "plain" pads every text to the maximal length, in float32. "best" pads each batch to its longest
text, groups texts of like length (Transformers' own LengthGroupedSampler), and takes what it is told of
bfloat16 and torch.compile. Both use scaled-dot-product attention and the fused AdamW.
"""

import argparse
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from torch.nn import functional
from transformers.trainer_pt_utils import LengthGroupedSampler

transformers.logging.set_verbosity_error()

Rows = list[dict[str, torch.Tensor]]
Batch = dict[str, torch.Tensor]

MAX_LENGTH, BATCH_SIZE, EVALUATION_BATCH_SIZE = 128, 32, 64
LEARNING_RATE, HEAD_LEARNING_RATE, WEIGHT_DECAY = 1e-4, 1e-3, 0.01
WARMUP_FRACTION, CLIP_NORM, DROPOUT = 0.1, 1.0, 0.1


class TextClassifier(torch.nn.Module):
    """BERT, the mean of its tokens, dropout, one linear layer."""

    def __init__(self, weights: Path, classes: int):
        super().__init__()
        self.backbone = transformers.BertModel.from_pretrained(
            weights,
            add_pooling_layer=False,
            attn_implementation="sdpa",
            hidden_dropout_prob=DROPOUT,
            attention_probs_dropout_prob=DROPOUT,
        )
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.head = torch.nn.Linear(self.backbone.config.hidden_size, classes)
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Int64 [n, length] ids and mask (1 = a token) → logits [n, classes]."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return self.head(self.dropout(mean))


def read_rows(path: Path, limit: int | None) -> list[dict[str, str]]:
    """The first `limit` rows of a JSON Lines file, all of them by default."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][:limit]


def tokenize(rows: list[dict[str, str]], classes: list[str], weights: Path, padding: str) -> Rows:
    """Tokenizes all rows; `padding` is the tokenizer's own option."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(weights / "tokenizer.json"), pad_token="[PAD]"
    )
    texts = [row["text"] for row in rows]
    encoded = tokenizer(texts, padding=padding, truncation=True, max_length=MAX_LENGTH)
    columns = zip(encoded["input_ids"], encoded["attention_mask"], rows, strict=True)
    return [
        {
            "input_ids": torch.tensor(ids),
            "attention_mask": torch.tensor(mask),
            "label": torch.tensor(classes.index(row["label"])),
        }
        for ids, mask, row in columns
    ]


def collate(rows: Rows) -> Batch:
    """Pads rows to the longest of them."""
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad([row["input_ids"] for row in rows], batch_first=True),
        "attention_mask": pad([row["attention_mask"] for row in rows], batch_first=True),
        "label": torch.stack([row["label"] for row in rows]),
    }


def batches(rows: Rows, is_grouped: bool, generator: torch.Generator) -> Iterable[Batch]:
    """The batches of one epoch in random order, rows of like length together or not."""
    if not is_grouped:
        return torch.utils.data.DataLoader(
            rows, BATCH_SIZE, shuffle=True, collate_fn=collate, generator=generator
        )
    lengths = [len(row["input_ids"]) for row in rows]
    sampler = LengthGroupedSampler(BATCH_SIZE, lengths=lengths, generator=generator)
    return torch.utils.data.DataLoader(rows, BATCH_SIZE, sampler=sampler, collate_fn=collate)


def build_optimizer(model: TextClassifier) -> torch.optim.Optimizer:
    """AdamW with a rate of its own for the head, and no decay of norms and biases."""
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rate = HEAD_LEARNING_RATE if name.startswith("head.") else LEARNING_RATE
        decay = 0.0 if re.search(r"LayerNorm|bias$", name) else WEIGHT_DECAY
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def train(
    model: TextClassifier,
    forward: Callable[..., torch.Tensor],
    loader: Iterable[Batch],
    updates: int,
    autocast: contextlib.AbstractContextManager,
) -> list[dict[str, float]]:
    """One epoch.

    Args:
        model: whose weights are updated.
        forward: the model, compiled or not.
        loader: gives the batches.
        updates: their number, for the schedule.
        autocast: entered around the forward pass.

    Returns:
        For each update its `seconds`, `tokens` and, with padding, `positions`.
    """
    optimizer = build_optimizer(model)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, int(WARMUP_FRACTION * updates), updates
    )
    model.train()
    steps = []
    mark = time.perf_counter()
    for batch in loader:
        with autocast:
            logits = forward(batch["input_ids"], batch["attention_mask"])
            loss = functional.cross_entropy(logits, batch["label"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        mask, now = batch["attention_mask"], time.perf_counter()
        steps.append({"seconds": now - mark, "tokens": int(mask.sum()), "positions": mask.numel()})
        mark = now
    return steps


def evaluate(
    model: TextClassifier, rows: Rows, autocast: contextlib.AbstractContextManager
) -> float:
    """Accuracy on these rows."""
    model.eval()
    rows, hits = sorted(rows, key=lambda row: len(row["input_ids"])), 0
    with torch.inference_mode():
        for start in range(0, len(rows), EVALUATION_BATCH_SIZE):
            batch = collate(rows[start : start + EVALUATION_BATCH_SIZE])
            with autocast:
                logits = model(batch["input_ids"], batch["attention_mask"])
            hits += int((logits.argmax(1) == batch["label"]).sum())
    return hits / len(rows)


def peak_mb() -> float:
    """The most resident memory of this process; its parent's is not counted, as in getrusage."""
    status = Path("/proc/self/status").read_text()
    return round(int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024, 1)


def main() -> None:
    """Trains, evaluates, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--recipe", choices=("plain", "best"), required=True)
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="the first N rows of each split only")
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(arguments.seed)

    is_best = arguments.recipe == "best"
    padding = "do_not_pad" if is_best else "max_length"
    labels = [row["label"] for row in read_rows(arguments.data / "train.jsonl", None)]
    classes = sorted(set(labels))
    train_rows, test_rows = (
        tokenize(
            read_rows(arguments.data / f"{split}.jsonl", arguments.limit),
            classes,
            arguments.weights,
            padding,
        )
        for split in ("train", "test")
    )
    model = TextClassifier(arguments.weights, len(classes))
    forward = torch.compile(model, dynamic=True) if arguments.compile else model
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16)
    generator = torch.Generator().manual_seed(arguments.seed)
    loader = batches(train_rows, is_best, generator)
    updates = -(-len(train_rows) // BATCH_SIZE)
    began = time.perf_counter()
    steps = train(model, forward, loader, updates, autocast)
    seconds = time.perf_counter() - began
    result = {
        "seconds": seconds,
        "examples": len(train_rows),
        "steps": steps,
        "accuracy": evaluate(model, test_rows, autocast),
        "peak_mb": peak_mb(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
