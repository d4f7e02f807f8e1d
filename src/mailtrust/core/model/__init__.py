"""
The words of the domain as values.

One fact, *this key is that server's*, has three copies: installed in the server's store, presented
on the wire, published in the directory.  Everything here is immutable and knows nothing of where
the bytes came from.
"""
