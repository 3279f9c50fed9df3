"""The HTTP side: each module makes the routes of one part, and knows the rest as a `compose.Broker`."""
