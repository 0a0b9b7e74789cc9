"""Damage with a plan: what is cut, doubled, swapped, folded or put into a good message. Pure; numbers choose."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

MAX_BYTES = 8_000
_NUMBER = re.compile(rb"[0-9]+")
EXTREMES = (
    b"0",
    b"-1",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9" * 40,
    b"1e9",
    b"0x10",
    b"",
)


class Mutation(NamedTuple):
    """kind: which operation; place, size: where and how much, taken modulo what there is; word: which word."""

    kind: int
    place: int
    size: int
    word: int


def mutate(data: bytes, mutations: Sequence[Mutation], words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """The message after all mutations. words: what may be put in; others: messages to splice with."""
    for mutation in mutations:
        operation = OPERATIONS[mutation.kind % len(OPERATIONS)]
        data = operation(data, mutation, words, others)[:MAX_BYTES]
    return data


def _cut(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, end = _span(data, mutation)
    return data[:start] + data[end:]


def _double(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, end = _span(data, mutation)
    return data[:end] + data[start:end] * (1 + mutation.word % 3) + data[end:]


def _put_word(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, _ = _span(data, mutation)
    return data[:start] + words[mutation.word % len(words)] + data[start:]


def _overwrite(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, end = _span(data, mutation)
    return data[:start] + words[mutation.word % len(words)] + data[end:]


def _repeat_word(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, _ = _span(data, mutation)
    return data[:start] + words[mutation.word % len(words)] * (mutation.size % 1000) + data[start:]


def _change_byte(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, _ = _span(data, mutation)
    return data[:start] + bytes([mutation.word % 256]) + data[start + 1 :]


def _change_number(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data
    number = numbers[mutation.place % len(numbers)]
    return data[: number.start()] + EXTREMES[mutation.word % len(EXTREMES)] + data[number.end() :]


def _change_case(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, end = _span(data, mutation)
    return data[:start] + data[start:end].swapcase() + data[end:]


def _drop_line(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    del lines[mutation.place % len(lines)]
    return b"\r\n".join(lines)


def _move_line(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    line = lines.pop(mutation.place % len(lines))
    lines.insert(mutation.size % (len(lines) + 1), line)
    return b"\r\n".join(lines)


def _borrow_line(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """A line of another message."""
    lines, strange = data.split(b"\r\n"), others[mutation.word % len(others)].split(b"\r\n")
    lines.insert(mutation.place % len(lines), strange[mutation.size % len(strange)])
    return b"\r\n".join(lines)


def _fold(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    start, _ = _span(data, mutation)
    return data[:start] + (b"\r\n ", b"\r\n\t", b"\n ", b"\r\n\r\n")[mutation.word % 4] + data[start:]


def _splice(data: bytes, mutation: Mutation, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """The head of one message and the tail of another."""
    other = others[mutation.word % len(others)]
    return data[: mutation.place % (len(data) + 1)] + other[mutation.size % (len(other) + 1) :]


def _span(data: bytes, mutation: Mutation) -> tuple[int, int]:
    start = mutation.place % (len(data) + 1)
    return start, min(len(data), start + mutation.size % 60)


Operation = Callable[[bytes, Mutation, Sequence[bytes], Sequence[bytes]], bytes]
OPERATIONS: tuple[Operation, ...] = (
    _cut, _double, _put_word, _overwrite, _repeat_word, _change_byte, _change_number, _change_case, _drop_line,
    _move_line, _borrow_line, _fold, _splice,
)  # fmt: skip
