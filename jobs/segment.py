"""spark-submit jobs/segment.py --plan FILE --run-id ID: the command `evenhand segment`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["segment", *sys.argv[1:]]))
