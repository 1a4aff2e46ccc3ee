"""spark-submit jobs/verify.py --plan FILE: whether audit log, ledger and published runs agree; writes nothing."""

import sys

from evenhand.command import verify_main

sys.exit(verify_main())
