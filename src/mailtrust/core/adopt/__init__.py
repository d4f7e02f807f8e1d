"""
What decides today between mail servers that are to be adopted: who proves what to whom, and how.

Facts come from each host's own Postfix (`facts`); `sending` and `receiving` read them as Postfix would, and
`pairs` puts two hosts beside each other.  Nothing here decides anything: it is read, told, and left alone.
"""
