"""spark-submit jobs/assess.py --plan FILE --run-id ID: one step of the pipeline alone."""

import sys

from evenhand.command import main

sys.exit(main(["assess"], "Measure profiles and fairness, pass the gates, publish."))
