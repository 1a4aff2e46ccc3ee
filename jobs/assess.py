"""spark-submit jobs/assess.py --plan FILE --run-id ID: the command `evenhand assess`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["assess", *sys.argv[1:]]))
