"""A text classification pipeline of Transformers behind FastAPI, one process, loopback only.

`.venv-huggingface/bin/python -m benchmarks.huggingface.serve --weights FOLDER --classes 9 --port 8000`,
with the packages of requirements.txt; imports nothing else. FOLDER holds a Hugging Face BERT; the head is
new. POST /predict `{"text": "…"}` gives each class's score. As the endpoint is no coroutine, FastAPI runs
it in its pool of threads. PyTorch takes all cores for each request unless `--threads` says otherwise.
"""

import argparse
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import fastapi
import pydantic
import torch
import transformers
import uvicorn

MAX_LENGTH = 256


class Request(pydantic.BaseModel):
    """What is asked."""

    text: str


def create_app(weights: Path, classes: int) -> fastapi.FastAPI:
    """The application; `classes` is the width of the head."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        weights, num_labels=classes, attn_implementation="sdpa"
    )
    classify = transformers.pipeline(
        "text-classification", model=model, tokenizer=tokenizer, top_k=None, device="cpu"
    )
    app = fastapi.FastAPI()

    @app.post("/predict")
    def predict(request: Request) -> list[dict]:
        [scores] = classify([request.text], truncation=True, max_length=MAX_LENGTH)
        return scores

    return app


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, help="of PyTorch, a request")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    app = create_app(arguments.weights, arguments.classes)
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
