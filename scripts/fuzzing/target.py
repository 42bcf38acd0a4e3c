"""One run of the fuzzer over one target: ``python -m fuzzing.target NAME LIBFUZZER-OPTIONS``."""

import sys

import atheris

with atheris.instrument_imports(include=["tlsmgr"]):
    from fuzzing.properties import TARGETS


def main() -> None:
    """Hand over to libFuzzer, which ends the process."""
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
