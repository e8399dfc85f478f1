"""What a user would pick instead, each in an environment of its own (`make bench-peers`), and how it is run.

Nothing here imports anything but the standard library: the scripts of this folder run on the peers' own interpreters.
"""
