"""spark-submit jobs/pipeline.py --plan FILE [--as-of TIME] [--run-id ID] [--check]: the command `evenhand run`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["run", *sys.argv[1:]]))
