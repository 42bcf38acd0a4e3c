"""The event listener that watches over the three workers for supervisord."""
