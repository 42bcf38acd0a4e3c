"""The verb ``config``: print the parameters, as postconf(1) prints them."""

import argparse
import sys

from tlsmgr.cli.options import Verbs, add_verb
from tlsmgr.config.configuration import load_configuration
from tlsmgr.config.report import report
from tlsmgr.config.settings import make_settings, process_values
from tlsmgr.errors import ExitCode


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    parser = add_verb(verbs, "config", "Print the configuration, as postconf(1) does.", _config)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-d", dest="defaults", action="store_true", help="print the defaults")
    which.add_argument(
        "-n", dest="explicit_only", action="store_true", help="print only what main.cf and tlsmgr.cf set"
    )
    parser.add_argument("-x", dest="expanded", action="store_true", help="expand $name in values")
    parser.add_argument("-h", dest="hide_names", action="store_true", help="print values only")
    parser.add_argument("names", nargs="*", metavar="name", help="parameters; by default all of them")


def _config(options: argparse.Namespace) -> ExitCode:
    configuration = load_configuration(
        options.config_directory, process_values=process_values(process_name="tlsmgr")
    )
    printed = report(
        configuration,
        options.names,
        defaults=options.defaults,
        explicit_only=options.explicit_only,
        expanded=options.expanded,
        hide_names=options.hide_names,
    )
    for line in printed.lines:
        sys.stdout.write(line + "\n")
    problems = (*printed.warnings, *make_settings(configuration).warnings)
    for warning in problems:
        sys.stderr.write(f"tlsmgr: warning: {warning}\n")
    return ExitCode.OK
