"""spark-submit jobs/pipeline.py --plan FILE [--as-of TIME] [--run-id ID] [--check]: the whole job, sources to report."""

import sys

from evenhand.command import main

sys.exit(main(["prepare", "segment", "assess", "report"], "Segment customers, measure fairness, publish, report."))
