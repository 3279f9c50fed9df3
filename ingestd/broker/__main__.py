"""`python -m ingestd.broker` is the command `ingestd-broker`."""

import sys

from ingestd.broker.command.main import main

sys.exit(main())
