"""What own and edge hardware costs an hour, from plain files to `rate_cards`."""
