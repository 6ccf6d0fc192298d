"""Our SIP user agent (RFC 3261): cores without I/O, and a small asyncio shell in `endpoint`."""
