"""Understanding in the languages that a table of words describes; English has code of its own beside this."""
