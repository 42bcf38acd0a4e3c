"""Where this checkout and its commands are."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

#: The commands of the virtual environment whose Python runs this.
COMMANDS = Path(sys.executable).parent
