"""Bills: from the files of one delivery to typed, named lines, one delivery record an account and period."""
