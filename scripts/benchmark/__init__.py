"""The benchmark: Debian's own tlsmgr and ours, side by side under the same load."""
