"""Account zone names and provider zone ids, from plain files to `zones`."""
