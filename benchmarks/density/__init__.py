"""How many calls one core holds: Ringback's worker and LiveKit Agents on the same load (`make bench-density`)."""
