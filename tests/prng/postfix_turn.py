"""Takes one turn at an exchange file as Postfix does: the same system calls, in its order.

Usage: postfix_turn PATH flock|lockf wait|now. Prints a line when it has the lock, and goes
on when it is given one. The fresh bytes are the old ones in the opposite order.
"""

import fcntl
import os
import sys


def main() -> None:
    """Open, lock, wait to be told, read, write, unlock."""
    path, lock, patience = sys.argv[1:]
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    take = fcntl.flock if lock == "flock" else fcntl.lockf
    take(fd, fcntl.LOCK_EX | (fcntl.LOCK_NB if patience == "now" else 0))
    sys.stdout.write("locked\n")
    sys.stdout.flush()
    sys.stdin.readline()
    os.lseek(fd, 0, os.SEEK_SET)
    old = os.read(fd, 1024)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, old[::-1])
    take(fd, fcntl.LOCK_UN)


if __name__ == "__main__":
    main()
