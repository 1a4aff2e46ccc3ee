"""spark-submit jobs/access.py --plan FILE --customer-from FILE --to FOLDER: the command `evenhand access`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["access", *sys.argv[1:]]))
