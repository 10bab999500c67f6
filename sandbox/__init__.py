"""Stand-ins on loopback for everything that the product talks to, for the demo and the tests."""
