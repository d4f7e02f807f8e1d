"""
Postfix as the transport: the published column, compiled into the tables by which Postfix itself decides.

No process of ours stands in the mail's way: what the directory says becomes rows that Postfix looks up.
"""
