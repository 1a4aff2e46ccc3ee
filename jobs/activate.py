"""spark-submit jobs/activate.py [recall] --plan FILE …: the commands `evenhand activate` and, after the word recall, `evenhand recall`."""

import sys

from evenhand.cli.main import main

given = sys.argv[1:]
sys.exit(main(given if given[:1] == ["recall"] else ["activate", *given]))
