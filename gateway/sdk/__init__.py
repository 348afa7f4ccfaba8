"""What programs that call the gateway need beyond HTTP: signatures, and proofs of who they are."""
