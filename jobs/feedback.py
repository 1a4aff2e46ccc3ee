"""spark-submit jobs/feedback.py --plan FILE --survey NAME: the command `evenhand feedback`."""

import sys

from evenhand.cli.main import main

sys.exit(main(["feedback", *sys.argv[1:]]))
