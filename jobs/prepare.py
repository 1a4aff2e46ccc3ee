"""spark-submit jobs/prepare.py --plan FILE --run-id ID: one step of the pipeline alone."""

import sys

from evenhand.command import main

sys.exit(
    main(["prepare"], "Keep what the purpose may use, under pseudonyms; spends the run's ε if bounds are left out, else nothing.")
)
