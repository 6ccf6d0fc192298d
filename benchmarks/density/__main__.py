"""Calls on one core: a ladder of ever more calls for Ringback's worker and for LiveKit Agents, in the same run.

    python -m benchmarks.density [--platform ringback|livekit] [--calls N] [--seconds S]

A worker pinned to one core holds N calls on real RTP over loopback; the people, another process on another core,
speak, listen, and measure how late frames arrive. Remote services are fakes with fixed delays (scene.py). Prints a
line a rung and ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.density import scene
from benchmarks.density.rung import Platform, climb


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder) / "sounds.npz"
        scene.prepare(sounds)
        print(climb(Platform("ringback", "benchmarks.density.ringback_worker"), options.calls, options.seconds, sounds, (0, 1)))


if __name__ == "__main__":
    main()
