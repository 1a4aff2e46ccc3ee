"""spark-submit jobs/retain.py --plan FILE: the command `evenhand retain`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["retain", *sys.argv[1:]]))
