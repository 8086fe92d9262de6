"""tapedeck beside its floors and peers, on this machine, in one run. Loopback only."""
