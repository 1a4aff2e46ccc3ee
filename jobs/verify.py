"""spark-submit jobs/verify.py --plan FILE: the command `evenhand verify`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["verify", *sys.argv[1:]]))
