#!/usr/bin/env python3
"""Makes Tests/Fixtures/text with the Python module `regex`, which GPT-2's pattern was written for.

classes.txt: where a run of scalars of one class begins, in hexadecimal, and the class: l \\p{L}, n \\p{N}, s \\s,
o other. pieces.jsonl: texts, and how many bytes of UTF-8 each piece has that the pattern cuts them into.
"""

import json
import pathlib
import random

import regex

PATTERN = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
CLASSES = [(name, regex.compile(expression)) for name, expression in (("l", r"\p{L}"), ("n", r"\p{N}"), ("s", r"\s"))]
# Every kind of character next to every other, and what is easily taken for another kind.
CHARACTERS = (
    list("abczAZst're'vemlld'' 0129 .,!?-_@[`{~\n\n\t\r \x0b\x1c\x1f\x00\x7f")
    + list("\x85\xa0\u1680\u180e\u2003\u200b\u2028\u202f\u205f\u3000\ufeff")
    + list("éßŉǅʰªºʼДжκαִא٣²½Ⅷ㉈①०日本語한국어áː҃👩\u200d👧🇩🇪𝒜𝟘𐄇𠮷\U000e0041\U0010ffff"))
WORDS = [
    "don't", "I'll", "we've", "'re", "'RE", "it's", " it's", "''s", "  ", "\n\n", " \n", "hello", "Привет", " 12",
    "a1b2", "...", "!!!'s", "日本", " 日", "½²", "éa", "aé", "abcdefgh", "abcdefghi", "abcdefghé"]


def class_of(value):
    if 0xD800 <= value < 0xE000:
        return "o"
    return next((name for name, pattern in CLASSES if pattern.match(chr(value))), "o")


def class_runs():
    previous = None
    for value in range(0x110000):
        name = class_of(value)
        if name != previous:
            yield f"{value:x} {name}\n"
        previous = name


def pieces(count):
    source = random.Random(7)
    for _ in range(count):
        length = source.choice([1, 2, 3, 5, 8, 13, 30])
        text = "".join(source.choice(CHARACTERS if source.random() < 0.6 else WORDS) for _ in range(length))
        found = PATTERN.findall(text)
        assert "".join(found) == text
        lengths = [len(piece.encode()) for piece in found]
        yield json.dumps({"text": text, "pieces": lengths}, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    folder = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/text"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("".join(class_runs()))
    (folder / "pieces.jsonl").write_text("".join(pieces(400)))
