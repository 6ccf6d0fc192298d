"""`python -m ringback` is the console command."""

from ringback.cli.main import main

main()
