"""Postfix configuration: main.cf syntax, and the parameters that tlsmgr knows."""
