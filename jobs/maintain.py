"""spark-submit jobs/maintain.py --plan FILE: the command `evenhand maintain`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["maintain", *sys.argv[1:]]))
