"""What decides what the agent says: a language model, or a graph."""
