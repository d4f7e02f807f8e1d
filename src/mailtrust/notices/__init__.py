"""
The ways by which people are told: a command, a webhook, a mail.

Each takes as long as it is allowed and no longer, and says what became of it; who tries again, and when, is
decided above. None of them needs the trust between the mail servers, because that is what is broken when a
notice is due.
"""
