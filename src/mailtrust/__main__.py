"""``python -m mailtrust``: the same as the `mailtrust` program."""

from mailtrust.cli import main

if __name__ == "__main__":
    main()
