"""What people read, made from released marts.

What belongs here: rendering. What must not: computing costs, or reading anything but a release.
"""
