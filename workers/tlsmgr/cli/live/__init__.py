"""The live screen of ``tlsmgr top``: what is asked, what it comes to, how it looks."""
