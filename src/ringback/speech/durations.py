"""How long each phoneme sounds: hibari's network knows, but does not say."""

from __future__ import annotations

from typing import Final

_PHONEME_ENDS: Final = "/CumSum_output_0"
"""The tensor of the pinned model that holds, for each phoneme, the frame at which it ends (int64)."""

# Fields of the messages in onnx.proto
_MODEL_GRAPH: Final = 7
_GRAPH_OUTPUT: Final = 12
_VALUE_NAME: Final = 1


def with_phoneme_ends(model: bytes) -> bytes:
    """The same ONNX model with one output more, its last: the phonemes' ends.

    Serialized protobuf messages merge when they are joined, and repeated fields add up, so naming one more
    output of the graph behind the model is all it takes.
    """
    name = _field(_VALUE_NAME, _PHONEME_ENDS.encode())
    return model + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, name))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field; all of ours are so short that number and length take a byte each."""
    return bytes((number << 3 | 2, len(content))) + content
