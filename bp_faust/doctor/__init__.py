"""Look at what a worker needs, without changing anything, and say what is wrong and how to mend it."""
