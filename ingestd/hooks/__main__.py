"""`python -m ingestd.hooks` is the command `ingestd-hooks`."""

import sys

from ingestd.hooks.main import main

sys.exit(main())
