"""`python -m dfcore …` is the command `dfcore …`."""

import sys

from dfcore.cli import main

sys.exit(main())
