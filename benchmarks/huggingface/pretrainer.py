"""Writes a golden file: a tiny Hugging Face BertForPreTraining, and what Transformers computes with it.

`.venv-huggingface/bin/python -m benchmarks.huggingface.pretrainer --golden FILE`, with the packages of
requirements.txt; imports nothing else. The file holds config.json, all tensors as Transformers names them, a
sentence pair, and its logits.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import transformers

_CONFIG = {
    "architectures": ["BertForPreTraining"],
    "model_type": "bert",
    "vocab_size": 10,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 4,
    "intermediate_size": 6,
    "max_position_embeddings": 8,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
}
_TOKEN_IDS, _SEGMENT_IDS = [2, 5, 4, 6, 3, 7, 9, 3], [0, 0, 0, 0, 0, 1, 1, 1]


def make_golden() -> dict:
    """The file's content."""
    model = transformers.BertForPreTraining(transformers.BertConfig(**_CONFIG)).eval()
    draw = np.random.default_rng(0)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):  # tied ones come once
            parameter.copy_(torch.tensor(draw.normal(scale=0.5, size=parameter.shape).round(3)))
        answer = model(torch.tensor([_TOKEN_IDS]), token_type_ids=torch.tensor([_SEGMENT_IDS]))
    return {
        "made_by": f"benchmarks/huggingface/pretrainer.py, transformers {transformers.__version__}",
        "config": _CONFIG,
        "tensors": {name: _numbers(tensor, 3) for name, tensor in model.named_parameters()},
        "token_ids": _TOKEN_IDS,
        "segment_ids": _SEGMENT_IDS,
        "prediction_logits": _numbers(answer.prediction_logits[0], 6),
        "seq_relationship_logits": _numbers(answer.seq_relationship_logits[0], 6),
    }


def _numbers(tensor: torch.Tensor, digits: int) -> list:
    return tensor.detach().double().numpy().round(digits).tolist()


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--golden", type=Path, required=True)
    golden = parser.parse_args().golden
    golden.write_text(json.dumps(make_golden(), indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
