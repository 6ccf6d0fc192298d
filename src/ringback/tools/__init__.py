"""The functions of agents, run: HTTP requests to the users' own servers."""
