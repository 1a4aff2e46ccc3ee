"""spark-submit jobs/erase.py --plan FILE --requests TABLE: the command `evenhand erase`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["erase", *sys.argv[1:]]))
