"""Updates an exchange file without end, as a process that a test kills at any moment.

Usage: exchange_writer PATH [remove]; with ``remove`` each second update makes the file anew.
"""

import os
import sys
from pathlib import Path

from tlsmgr.prng.exchange_file import EXCHANGE_SIZE, ExchangeFile


def main() -> None:
    """Tell the parent after the first update, then go on until killed."""
    path = Path(sys.argv[1])
    file = ExchangeFile(path)
    file.update(lambda _old: os.urandom(EXCHANGE_SIZE))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        if "remove" in sys.argv:
            path.unlink()
        file.update(lambda _old: os.urandom(EXCHANGE_SIZE))


if __name__ == "__main__":
    main()
