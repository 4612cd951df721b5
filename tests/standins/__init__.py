"""Local servers that speak as much of a service's protocol as its own client library needs."""
