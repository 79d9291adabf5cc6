"""Answer over HTTP, on the worker's port: each ``app.page`` one path, and what they share."""
