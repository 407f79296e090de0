"""What users write in Python: loaded by file path, described by its signature, called with a request."""
