"""Where the services find ``OccasionalLog``."""

from tlsmgr.occasional_log import OccasionalLog

__all__ = ["OccasionalLog"]
