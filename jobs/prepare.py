"""spark-submit jobs/prepare.py --plan FILE --run-id ID: the command `evenhand prepare`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["prepare", *sys.argv[1:]]))
