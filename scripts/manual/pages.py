"""The three manual pages."""

from collections.abc import Iterator

from manual.command import Argument, Verb, verbs
from manual.roff import entries, head, section, verbatim
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.config.schema import INT_MAX, Kind, Parameter, Section
from tlsmgr.errors import ExitCode

_EXIT_CODES = {
    ExitCode.OK: "Done, or stopped as asked.",
    ExitCode.NOT_DONE: "Not found, not saved, not enabled, or a check failed.",
    ExitCode.USAGE: "Wrong arguments on the command line.",
    ExitCode.REFUSED: "The server refused the request.",
    ExitCode.UNAVAILABLE: "The server does not answer.",
    ExitCode.SOFTWARE: "A defect of the program.",
    ExitCode.HOST: "The host lacks something: a file, a directory, disk space, a descriptor.",
    ExitCode.ADDRESS_IN_USE: "Another one is at work, or a foreign file is in the place of a socket.",
    ExitCode.NO_PERMISSION: "The operating system or the server denied access.",
    ExitCode.CONFIGURATION: "A bad parameter; the message names file, line and parameter.",
    ExitCode.HUNG: "The watchdog ended a process that made no progress.",
    ExitCode.GIVEN_UP: "It crashed ten times in ten minutes, and is not started again by itself.",
}
_KINDS = {
    Kind.STRING: "text",
    Kind.PATH: "a path; a relative one starts at queue_directory",
    Kind.TIME: "a time with a unit of s, m, h, d or w",
    Kind.INTEGER: "a number",
    Kind.BOOLEAN: "yes or no",
    Kind.LOGLEVEL: "0 to 4, or the names of what to log",
    Kind.USERS: "user names, separated by commas or spaces",
    Kind.KEY_SOURCE: "local, or ratchet: and a path; a relative one starts at queue_directory",
    Kind.ADDRESS: "address:port, the address in numbers; without one it is 127.0.0.1",
}
_PROCESSES = (
    ("prng-server", "Owns the random number generator, its entropy source and the exchange file."),
    ("cache-server", "Owns the session caches, the ticket keys and the socket that Postfix asks."),
    ("expiry-sweeper", "Removes sessions whose time is over."),
    ("tlsmgr-health", "Supervisord's event listener: restarts a worker that does not answer."),
)
_CONTROL = """\
supervisorctl status tlsmgr:*
supervisorctl restart tlsmgr:cache-server
supervisorctl tail tlsmgr:cache-server
"""


def pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    return {"tlsmgr.8": _daemon(), "tlsmgr.1": _command(), "tlsmgr.cf.5": _configuration()}


def _daemon() -> str:
    return "".join(
        [
            head("TLSMGR", 8, "System Manager's Manual"),
            section("NAME", "tlsmgr - TLS session cache, session ticket key and PRNG manager"),
            section("SYNOPSIS", "tlsmgr serve PROCESS [options]"),
            section(
                "DESCRIPTION",
                "The processes of tlsmgr do for an unmodified Postfix what its own tlsmgr(8) does: they"
                " keep TLS sessions and session ticket keys, and give out random bytes. supervisord keeps"
                " them running.",
                entries(_PROCESSES),
                "Postfix asks the socket $queue_directory/private/$tlsmgr_service_name. Other programs ask"
                " the sockets in $tlsmgr_run_directory, in MessagePack-RPC.",
            ),
            section("CONTROL", verbatim(_CONTROL)),
            section("OPTIONS", entries(_rows(next(verb for verb in verbs() if verb.name == "serve")))),
            section(
                "SIGNALS",
                entries(
                    [
                        ("TERM, INT", "Answer what was read, and end; a second one ends at once."),
                        ("HUP", "Read the configuration again, without dropping a connection."),
                    ]
                ),
            ),
            section("EXIT STATUS", entries(_exit_codes())),
            _files(),
            section("SEE ALSO", "tlsmgr(1), tlsmgr.cf(5), postconf(5), supervisord(1)"),
        ]
    )


def _command() -> str:
    return "".join(
        [
            head("TLSMGR", 1, "User Commands"),
            section("NAME", "tlsmgr - ask and control the TLS session cache, ticket key and PRNG manager"),
            section("SYNOPSIS", "tlsmgr VERB [options]", "tlsmgr --version", "tlsmgr [VERB] --help"),
            section("VERBS", *(_verb(verb) for verb in verbs())),
            section("EXIT STATUS", entries(_exit_codes())),
            section(
                "ENVIRONMENT",
                entries([("MAIL_CONFIG", "The directory with main.cf, in place of /etc/postfix.")]),
            ),
            section("SEE ALSO", "tlsmgr(8), tlsmgr.cf(5)"),
        ]
    )


def _configuration() -> str:
    return "".join(
        [
            head("TLSMGR.CF", 5, "File Formats"),
            section("NAME", "tlsmgr.cf - parameters of tlsmgr beside those of Postfix"),
            section(
                "DESCRIPTION",
                "tlsmgr reads main.cf, and then tlsmgr.cf in the same directory: what that says wins. Only"
                " tlsmgr reads it. Both have the syntax that postconf(5) tells. tlsmgr config prints what"
                " they come to.",
                "A timeout above 0 and below 120 s is raised to 120 s; 0 disables a cache.",
            ),
            *(_parameters(part) for part in Section),
            section("SEE ALSO", "tlsmgr(1), tlsmgr(8), postconf(1), postconf(5)"),
        ]
    )


def _files() -> str:
    return section(
        "FILES",
        entries(
            [
                ("/etc/postfix/main.cf, /etc/postfix/tlsmgr.cf", "The configuration."),
                ("$data_directory/run/", "Sockets, pid files and locks."),
                ("$data_directory/prng_exch", "What the generator keeps between runs; Postfix's own format."),
                ("$data_directory/tlsmgr_ticket_keys", "The ticket keys, sealed."),
            ]
        ),
    )


def _exit_codes() -> Iterator[tuple[str, str]]:
    return ((str(int(code)), _EXIT_CODES[code]) for code in ExitCode)


def _verb(verb: Verb) -> str:
    words = " ".join(f"[{word.value}]" if word.optional else word.value for word in verb.words)
    rows = [(f"{verb.name} {words}".rstrip(), verb.text)]
    return entries(rows) + ".RS\n" + entries(_rows(verb)) + ".RE\n"


def _rows(verb: Verb) -> Iterator[tuple[str, str]]:
    return ((_spelled(argument), argument.text) for argument in verb.arguments if argument.text)


def _spelled(argument: Argument) -> str:
    return " ".join(filter(None, (", ".join(argument.spellings), argument.value)))


def _parameters(part: Section) -> str:
    rows = [parameter for parameter in PARAMETERS.values() if parameter.section is part]
    return section(part.value, entries((_heading(row), _described(row)) for row in rows)) if rows else ""


def _heading(parameter: Parameter) -> str:
    default = f"default: {parameter.default}" if parameter.default else "default: empty"
    return f"{parameter.name} ({'read-only' if parameter.read_only else default})"


def _described(parameter: Parameter) -> str:
    return f"{parameter.help} {_KINDS[parameter.kind].capitalize()}{_range(parameter)}."


def _range(parameter: Parameter) -> str:
    if parameter.choices:
        return f": {', '.join(parameter.choices)}"
    if parameter.kind not in (Kind.INTEGER, Kind.TIME):
        return ""
    unit = " seconds" if parameter.kind is Kind.TIME else ""
    if parameter.maximum >= INT_MAX:
        return f", {parameter.minimum}{unit} or more" if parameter.minimum else ""
    return f", {parameter.minimum} to {parameter.maximum}{unit}"
