"""G.711 against a slow transcription of its algorithm, sample by sample."""

import numpy as np
import pytest

from ringback.media.g711 import Codec

ALL_SAMPLES = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
ALL_OCTETS = bytes(range(256))


def slow_mu_law_octet(sample: int) -> int:
    magnitude = min(abs(sample) >> 2, 8158) + 33
    segment = magnitude.bit_length() - 6
    step = (magnitude >> (segment + 1)) & 15
    sign = 0 if sample >= 0 else 0x80
    return ~(sign | segment << 4 | step) & 0xFF


def slow_mu_law_sample(octet: int) -> int:
    octet = ~octet & 0xFF
    segment, step = octet >> 4 & 7, octet & 15
    magnitude = 4 * (((2 * step + 33) << segment) - 33)
    return -magnitude if octet & 0x80 else magnitude


def slow_a_law_octet(sample: int) -> int:
    magnitude = min(abs(sample) >> 3, 4095)
    segment = max(magnitude.bit_length() - 5, 0)
    step = magnitude >> max(segment, 1) & 15
    sign = 0x80 if sample >= 0 else 0
    return (sign | segment << 4 | step) ^ 0x55


def slow_a_law_sample(octet: int) -> int:
    octet ^= 0x55
    segment, step = octet >> 4 & 7, octet & 15
    magnitude = 8 * (2 * step + 1 if segment == 0 else (2 * step + 33) << (segment - 1))
    return magnitude if octet & 0x80 else -magnitude


@pytest.mark.parametrize(("codec", "slow"), [(Codec.PCMU, slow_mu_law_octet), (Codec.PCMA, slow_a_law_octet)])
def test_every_sample_is_encoded_as_the_standard_says(codec, slow):
    assert codec.encode(ALL_SAMPLES) == bytes(slow(int(sample)) for sample in ALL_SAMPLES)


@pytest.mark.parametrize(
    ("codec", "slow"), [(Codec.PCMU, slow_mu_law_sample), (Codec.PCMA, slow_a_law_sample)]
)
def test_every_octet_is_decoded_as_the_standard_says(codec, slow):
    decoded = codec.decode(ALL_OCTETS)
    assert decoded.dtype == np.int16
    assert decoded.tolist() == [slow(octet) for octet in ALL_OCTETS]


@pytest.mark.parametrize("codec", Codec)
def test_an_encoded_value_survives_another_trip(codec):
    once = codec.decode(codec.encode(ALL_SAMPLES))
    assert np.array_equal(codec.decode(codec.encode(once)), once)


def test_the_values_that_the_standard_names():
    assert Codec.PCMU.encode(np.array([0, 32767, -32768], np.int16)) == b"\xff\x80\x00"
    assert Codec.PCMA.encode(np.array([0, 32767, -32768], np.int16)) == b"\xd5\xaa\x2a"
    assert Codec.PCMU.decode(b"\x80\x00").tolist() == [32124, -32124]
    assert Codec.PCMA.decode(b"\xaa\x2a").tolist() == [32256, -32256]


def test_payload_types_and_names_are_those_of_rfc_3551():
    assert [(codec.name, codec.payload_type) for codec in Codec] == [("PCMU", 0), ("PCMA", 8)]
