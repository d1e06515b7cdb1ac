"""The two file formats that every contender reads: checkpoints and token files.

A checkpoint is a header of 256 little-endian int32 followed by sixteen float32 tensors in the order of
`tensor_shapes`. A token file is either raw int32, or the same kind of header followed by uint16.
"""

from dataclasses import dataclass

import numpy

HEADER_COUNT = 256
CHECKPOINT_MAGIC = 20240326
TOKENS_MAGIC = 20240520


@dataclass(frozen=True)
class Configuration:
    layers: int
    heads: int
    channels: int
    vocabulary: int
    context: int

    @property
    def padded_vocabulary(self) -> int:
        """Version 3 rounds the rows of the token embedding up to a multiple of 128."""
        return -(-self.vocabulary // 128) * 128


def tensor_shapes(configuration: Configuration, rows: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the parameters, in file order; `rows` of the token embedding."""
    L, C = configuration.layers, configuration.channels
    return {
        "wte": (rows, C),
        "wpe": (configuration.context, C),
        "ln1w": (L, C),
        "ln1b": (L, C),
        "qkvw": (L, 3 * C, C),
        "qkvb": (L, 3 * C),
        "attprojw": (L, C, C),
        "attprojb": (L, C),
        "ln2w": (L, C),
        "ln2b": (L, C),
        "fcw": (L, 4 * C, C),
        "fcb": (L, 4 * C),
        "fcprojw": (L, C, 4 * C),
        "fcprojb": (L, C),
        "lnfw": (C,),
        "lnfb": (C,),
    }


def read_configuration(path: str) -> tuple[Configuration, int]:
    """Returns the configuration of a checkpoint and the rows of its token embedding."""
    header = numpy.fromfile(path, dtype="<i4", count=HEADER_COUNT)
    if len(header) < HEADER_COUNT or header[0] != CHECKPOINT_MAGIC:
        raise ValueError(f"expected a checkpoint with magic {CHECKPOINT_MAGIC}, found something else in {path}")
    version, context, vocabulary, layers, heads, channels, padded = (int(value) for value in header[1:8])
    if version not in (1, 3):
        raise ValueError(f"expected a float32 checkpoint (version 1 or 3), found version {version} in {path}")
    rows = vocabulary if version == 1 else padded
    return Configuration(layers, heads, channels, vocabulary, context), rows


def read_checkpoint(path: str):
    """Yields name and values of each tensor in turn, so that only one is held at a time."""
    configuration, rows = read_configuration(path)
    with open(path, "rb") as file:
        file.seek(4 * HEADER_COUNT)
        for name, shape in tensor_shapes(configuration, rows).items():
            count = int(numpy.prod(shape))
            values = numpy.fromfile(file, dtype="<f4", count=count)
            if len(values) != count:
                raise ValueError(f"expected {count} values of {name}, found {len(values)} in {path}")
            yield name, values.reshape(shape)


def write_random_checkpoint(path: str, configuration: Configuration, seed: int) -> None:
    """Writes a version 3 checkpoint initialised as GPT-2 is.

    Weights and embeddings are N(0, 0.02), those that end in a residual add divided by sqrt(2 L); layer
    norms scale by 1; biases and the rows that pad the vocabulary are 0.
    """
    generator = numpy.random.default_rng(seed)
    rows = configuration.padded_vocabulary
    header = numpy.zeros(HEADER_COUNT, dtype="<i4")
    header[:8] = (
        CHECKPOINT_MAGIC, 3, configuration.context, configuration.vocabulary,
        configuration.layers, configuration.heads, configuration.channels, rows,
    )
    with open(path, "wb") as file:
        header.tofile(file)
        for name, shape in tensor_shapes(configuration, rows).items():
            if name in ("ln1w", "ln2w", "lnfw"):
                values = numpy.ones(shape, dtype="<f4")
            elif name.endswith("b"):
                values = numpy.zeros(shape, dtype="<f4")
            else:
                deviation = 0.02
                if name in ("attprojw", "fcprojw"):
                    deviation /= (2 * configuration.layers) ** 0.5
                values = generator.standard_normal(shape, dtype=numpy.float32) * numpy.float32(deviation)
            if name == "wte":
                values[configuration.vocabulary:] = 0
            values.astype("<f4").tofile(file)


def read_tokens(path: str) -> numpy.ndarray:
    """The tokens of a file as int64; raw int32 and headed uint16 are told apart by the first value."""
    first = numpy.fromfile(path, dtype="<i4", count=1)
    if len(first) == 1 and first[0] == TOKENS_MAGIC:
        tokens = numpy.fromfile(path, dtype="<u2", offset=4 * HEADER_COUNT)
    else:
        tokens = numpy.fromfile(path, dtype="<i4")
    return tokens.astype(numpy.int64)


def write_random_tokens(path: str, count: int, vocabulary: int, seed: int) -> None:
    """Writes uniformly drawn tokens as raw int32: as good as text for timing, useless for learning."""
    generator = numpy.random.default_rng(seed)
    generator.integers(vocabulary, size=count, dtype="<i4").tofile(path)
