"""Who presents our certificate to peers, and believes theirs by the directory."""
