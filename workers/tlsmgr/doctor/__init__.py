"""Looking over a host: is everything as tlsmgr and Postfix need it, and if not, what is to be done."""
