"""Where main.cf is when nobody says so."""

import os
from pathlib import Path

#: Where Postfix looks without MAIL_CONFIG (its compiled-in config_directory).
POSTFIX_CONFIG_DIRECTORY = "/etc/postfix"


def configuration_directory() -> Path:
    """Return the configuration directory that the environment names, or Postfix's own."""
    return Path(os.environ.get("MAIL_CONFIG") or POSTFIX_CONFIG_DIRECTORY)
