"""What this worker tells of itself, and all of them together, for those who watch over them."""
