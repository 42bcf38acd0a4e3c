"""``python -m tlsmgr`` is the command ``tlsmgr``."""

import sys

from tlsmgr.cli import main

if __name__ == "__main__":
    sys.exit(main())
