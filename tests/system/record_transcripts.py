"""Records what Debian's own tlsmgr answers: ``python -m tests.system.record_transcripts``, as root."""

import sys

from rehearsal.directories import traversable_directory
from tests.system.attribute_vectors import SETTINGS
from tests.system.debian_tlsmgr import DebianTlsmgr, installed_version
from tests.system.postfix_presence import missing
from tests.system.transcript import VECTORS_DIRECTORY, dumped, record, transcript_path


def main() -> str | None:
    """Write the transcript of each setting; return why it cannot be done, if so."""
    if reason := missing():
        return reason
    version = installed_version()
    VECTORS_DIRECTORY.mkdir(exist_ok=True)
    for setting, parameters in SETTINGS.items():
        with traversable_directory() as directory, DebianTlsmgr(directory, parameters=parameters) as server:
            transcript = record(server.path, setting, version=version)
        transcript_path(setting, version=version).write_text(dumped(transcript))
    return None


if __name__ == "__main__":
    sys.exit(main())
