"""The default profile's networks, as PyTorch modules whose outputs are the served tensors."""
