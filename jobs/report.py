"""spark-submit jobs/report.py --plan FILE --run-id ID: one step of the pipeline alone."""

import sys

from evenhand.command import main

sys.exit(main(["report"], "Write the report of a run that is published or blocked."))
