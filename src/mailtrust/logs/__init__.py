"""
The logs of the machine: where our lines go so that its administrator finds them where all others are.

Nothing here waits: a log that is busy, full or gone is an answer, and the line stays with whoever had it.
"""
