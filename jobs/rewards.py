"""spark-submit jobs/rewards.py --plan FILE --month YYYY-MM --to DEST: the command `evenhand rewards`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["rewards", *sys.argv[1:]]))
