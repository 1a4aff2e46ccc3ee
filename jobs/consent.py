"""spark-submit jobs/consent.py import --plan FILE --from FILE, or receipt: the command `evenhand consent`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["consent", *sys.argv[1:]]))
