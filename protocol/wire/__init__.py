"""How messages travel: in frames through a socket."""
