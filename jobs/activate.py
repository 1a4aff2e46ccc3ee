"""spark-submit jobs/activate.py --plan FILE --run-id ID --offer NAME --to DEST: the command `evenhand activate`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["activate", *sys.argv[1:]]))
