"""`python -m app.cli`: the zapfs command where its script is not installed."""

import sys

from app.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
