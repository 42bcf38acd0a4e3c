"""Hooking a Postfix up to tlsmgr, and undoing it: one parameter in main.cf."""
