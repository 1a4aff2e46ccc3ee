"""spark-submit jobs/report.py --plan FILE --run-id ID: the command `evenhand report`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["report", *sys.argv[1:]]))
