"""What `clients.evaluate` is made of: the manifest, the asking, the figures and the pictures."""
