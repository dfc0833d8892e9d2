"""Packaging, and what Beam ships to remote workers (`--setup_file`).

Ranges here, exact versions with hashes in requirements/.
"""

from pathlib import Path

import setuptools

# One line a stack: TensorFlow's custom ops and TFX's pins make each a closed set.
STACKS = {
    'python_version < "3.11"': [
        "tfx>=1.16,<1.17",
        "tensorflow>=2.16,<2.17",
        "tensorflow-text>=2.16,<2.17",
        "keras>=3.12,<3.13",
        "keras-hub>=0.25,<0.26",
        "dill",
    ],
    'python_version >= "3.11"': [
        "tfx>=1.21,<1.22",
        "tensorflow>=2.21,<2.22",
        "tensorflow-text>=2.21,<2.22",
        "keras>=3.15,<3.16",
        "keras-hub>=0.32,<0.33",
        "tensorboard>=2.20",
    ],
}
COMMON = [
    "apache-beam>=2.74,<3",
    "docker>=7",
    "grpcio>=1.66",
    "httpx>=0.27",
    "jinja2>=3.1",
    "keras-tuner>=1.4.7,<2",
    "kfp>=2.5,<3",
    "lxml>=5",
    "matplotlib>=3.8",
    "numpy>=1.26,<3",
    "pandas>=1.5,<3",
    "platformdirs>=4",
    "prometheus-client>=0.20",
    "pyarrow>=10,<19",
    "pydantic>=2.7,<3",
    "pyyaml>=6",
    "rich>=13",
    "safetensors>=0.4",
    "scikit-learn>=1.5,<2",
    "sentencepiece>=0.2",
    "starlette>=0.40",
    "tensorflow-serving-api>=2.16,<3",
    "typer>=0.12",
    "uvicorn>=0.30",
    "wandb>=0.19,<0.26",
]

setuptools.setup(
    name="sciformer",
    version="0.1.0",
    description="From raw scientific text to an evaluated, served classifier: TFX, Beam, Keras 3",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=setuptools.find_packages(
        include=[
            f"{package}{below}"
            for package in ("pipeline", "components", "models", "serving")
            for below in ("", ".*")
        ]
    ),
    package_data={"": ["*.pbtxt", "*.tsv", "*.yaml", "py.typed", "templates/*"]},
    install_requires=COMMON
    + [f"{need}; {marker}" for marker, needs in STACKS.items() for need in needs],
    extras_require={"test": ["hypothesis>=6", "pytest>=8", "pytest-timeout>=2"]},
    zip_safe=False,
)
