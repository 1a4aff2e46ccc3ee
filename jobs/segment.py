"""spark-submit jobs/segment.py --plan FILE --run-id ID: one step of the pipeline alone."""

import sys

from evenhand.command import main

sys.exit(main(["segment"], "Learn the segments from a private summary and assign everybody."))
