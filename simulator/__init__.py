"""A small deterministic sample company that writes only what vendors deliver, in their own formats.

What belongs here: who the company is, how its agents behave, and the files that its clouds, its span
collector and its platform team would hand over. What must not: any import of the pipeline, a price
book, or a file that tells the pipeline the truth.
"""
