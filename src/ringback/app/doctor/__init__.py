"""`ringback doctor`: looks an installation over and names what is wrong with it, each fault in one sentence."""
