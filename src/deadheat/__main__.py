"""``python -m deadheat``: the same as the console script."""

from deadheat.cli.main import main

main()
