"""Whether the agent is a good listener: endpointing, barge-in and heard text on labelled utterances."""
