"""One suite a port, run over every adapter: what any implementation must do, whatever it stands on."""
