"""The users that the configuration names: do they exist?"""

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ConfigurationError
from tlsmgr.transport.peer import user_id


def check_users(settings: Settings) -> None:
    """Look all users up before anything is made or changed on the strength of their names.

    Raises:
        ConfigurationError: The host knows no such user; says which parameter names it, and where.
    """
    named = (
        ("mail_owner", (settings.mail_owner,)),
        ("tlsmgr_authorized_users", settings.tlsmgr_authorized_users),
    )
    for parameter, names in named:
        for name in names:
            try:
                user_id(name)
            except ConfigurationError as error:
                raise ConfigurationError(f"{settings.origins[parameter]}: {parameter}: {error}") from error
