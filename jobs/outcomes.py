"""spark-submit jobs/outcomes.py --plan FILE --outcome NAME --activation ID: the command `evenhand outcomes`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["outcomes", *sys.argv[1:]]))
