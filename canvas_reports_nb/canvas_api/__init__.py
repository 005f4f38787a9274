"""The wire: credentials, HTTP, the six calls, and the objects they return."""
