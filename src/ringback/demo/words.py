"""Word error rate: how far what was transcribed is from what was said."""

from __future__ import annotations

import re

_WRITTEN = {
    "zero": "0", "oh": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th", "sixth": "6th",
    "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th", "doctor": "dr", "mister": "mr",
}  # fmt: skip


def words(text: str) -> list[str]:
    """Lower-case words without punctuation; small numbers are written as digits, and each digit is a word.

    "4271", "4-2-7-1" and "four two seven one" become the same four words.
    """
    spoken = re.findall(r"[a-z]+|\d+(?:st|nd|rd|th)?", text.lower().replace("'", ""))
    written = " ".join(_WRITTEN.get(word, word) for word in spoken)
    return re.sub(r"(?<=\d)(?=\d)", " ", written).split()


def errors(said: str, heard: str) -> tuple[int, int]:
    """(substitutions + insertions + deletions, words said): the Levenshtein distance over words."""
    reference, hypothesis = words(said), words(heard)
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, start=1):
        previous, row[0] = row[0], i
        for j, got in enumerate(hypothesis, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (expected != got))
    return row[-1], len(reference)
