"""spark-submit jobs/score.py --plan FILE --run-id ID: the command `evenhand score`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["score", *sys.argv[1:]]))
