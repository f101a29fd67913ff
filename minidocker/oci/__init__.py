"""Values of the OCI specifications: what an image says about itself.  No I/O."""
