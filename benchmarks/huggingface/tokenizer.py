"""Tokenizes texts with Hugging Face `tokenizers` and prints one line of JSON, or writes golden ids.

`.venv-huggingface/bin/python -m benchmarks.huggingface.tokenizer --texts FILE --weights FOLDER --ids FILE`,
with the packages of requirements.txt; imports nothing else. FILE of the texts holds one JSON list, FOLDER the
tokenizer.json of an uncased BERT. The whole list goes to `encode_batch_fast`, which keeps no offsets, or with
`--offsets` to `encode_batch`, as Transformers calls it; both use a thread a core.

`--golden FILE` fills in a golden file instead: its `ids`, from its `texts` and `vocabulary`.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import tokenizers


def encode(
    tokenizer: tokenizers.Tokenizer, texts: list[str], with_offsets: bool = False
) -> list[list[int]]:
    """Ids of each text, uncut; a literal "[SEP]" is text."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    batch = tokenizer.encode_batch if with_offsets else tokenizer.encode_batch_fast
    return [encoding.ids for encoding in batch(texts)]


def from_vocabulary(tokens: list[str]) -> tokenizers.Tokenizer:
    """An uncased BERT tokenizer."""
    ids = {token: number for number, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(
        ("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"])
    )
    return tokenizer


def fill_golden(path: Path) -> None:
    """Writes the ids, and the version they are of, into a golden file."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    golden["made_by"] = f"benchmarks/huggingface/tokenizer.py, tokenizers {tokenizers.__version__}"
    golden["ids"] = encode(from_vocabulary(golden["vocabulary"]), golden["texts"])
    path.write_text(json.dumps(golden, indent=0) + "\n", encoding="utf-8")


def main() -> None:
    """Encodes, writes the ids, prints the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--ids", type=Path, help="an .npz with ids of all texts, and each's number")
    parser.add_argument("--offsets", action="store_true")
    parser.add_argument("--golden", type=Path)
    arguments = parser.parse_args()
    if arguments.golden:
        fill_golden(arguments.golden)
        return
    texts = json.loads(arguments.texts.read_text(encoding="utf-8"))
    tokenizer = tokenizers.Tokenizer.from_file(str(arguments.weights / "tokenizer.json"))
    encode(tokenizer, texts[:100])
    began = time.perf_counter()
    ids = encode(tokenizer, texts, arguments.offsets)
    seconds = time.perf_counter() - began
    np.savez(arguments.ids, ids=np.concatenate(ids), lengths=[len(row) for row in ids])
    print(json.dumps({"seconds": seconds, "version": tokenizers.__version__}))


if __name__ == "__main__":
    main()
