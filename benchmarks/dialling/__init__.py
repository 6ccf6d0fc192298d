"""`make bench-dial`: how fast people get into the queue and out of it, and how exactly the limits hold."""
