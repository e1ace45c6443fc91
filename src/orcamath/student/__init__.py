"""The model that learns: encoding, preference groups, losses, the training loop. Torch lives here."""
