"""`python -m evenhand`: the command `evenhand`, where the folder of scripts is not on the path."""

import sys

from evenhand.cli.main import main

sys.exit(main())
