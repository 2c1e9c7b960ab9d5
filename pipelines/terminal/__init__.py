"""What the command line shows: progress, tables, sentences. Nothing here computes a figure."""
