"""The checkpoint and the tokens that all contenders of a workload read, made once where none are given."""

import struct
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

from machine import HERE, ComparisonError


@dataclass(frozen=True)
class Sizes:
    """A model's sizes."""

    layers: int
    heads: int
    channels: int
    vocabulary: int
    context: int

    @property
    def parameters(self) -> int:
        C = self.channels
        block = 12 * C * C + 13 * C  # four matrices with biases, two layer norms
        return (self.vocabulary + self.context) * C + self.layers * block + 2 * C


GPT2_124M = Sizes(layers=12, heads=12, channels=768, vocabulary=50257, context=1024)
SMALL = Sizes(layers=4, heads=4, channels=128, vocabulary=65, context=64)


def check_sizes(path: str, sizes: Sizes) -> None:
    """The header of an llm.c checkpoint has: magic, version, context, vocabulary, layers, heads, channels."""
    try:
        with open(path, "rb") as file:
            header = struct.unpack("<7i", file.read(28))
    except (OSError, struct.error) as error:
        raise ComparisonError(f"expected an llm.c checkpoint at {path}, found none: {error}") from error
    found = (header[4], header[5], header[6], header[3], header[2])
    if header[0] != 20240326 or found != astuple(sizes):
        raise ComparisonError(f"expected an llm.c checkpoint of GPT-2 124M, found something else in {path}")


def random_inputs(sizes: Sizes, python: str, cache: str) -> tuple[str, str]:
    """Absolute paths of a checkpoint and of tokens in the cache."""
    words = {"layers": sizes.layers, "heads": sizes.heads, "channels": sizes.channels,
             "vocabulary": sizes.vocabulary, "context": sizes.context}
    name = "random_" + "_".join(f"{size[0]}{value}" for size, value in words.items())
    checkpoint, tokens = Path(cache, f"{name}.bin").resolve(), Path(cache, f"{name}_tokens.bin").resolve()
    if not (checkpoint.exists() and tokens.exists()):
        print(f"making {checkpoint}", file=sys.stderr)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        # Renamed only when complete, so that an interrupted run leaves nothing that looks whole.
        partial = checkpoint.with_suffix(".partial")
        command = [python, str(HERE / "make_checkpoint.py"), str(partial), "--tokens", str(tokens)]
        command += [word for size, value in words.items() for word in (f"--{size}", str(value))]
        if subprocess.run(command).returncode != 0:
            raise ComparisonError(f"a random checkpoint cannot be made at {checkpoint}; the reason is above")
        partial.rename(checkpoint)
    return str(checkpoint), str(tokens)
