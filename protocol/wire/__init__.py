"""How messages travel: in envelopes, framed for a socket."""
