"""A real call on one machine: a simulated person with a SIP endpoint and a voice of its own."""
