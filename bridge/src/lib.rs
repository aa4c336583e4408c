//! The binary flinkspark: the command line, the server, the wiring.
