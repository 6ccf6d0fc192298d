"""Who or what took the call: answering machines, people and the rest, on labelled answers."""
