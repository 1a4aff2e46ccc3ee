"""spark-submit jobs/notice.py --plan FILE --to FOLDER: the command `evenhand notice`, which needs no Spark."""

import sys

from evenhand.cli.main import main

sys.exit(main(["notice", *sys.argv[1:]]))
