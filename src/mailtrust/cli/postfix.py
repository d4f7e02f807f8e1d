"""`mailtrust postfix`: Postfix as the transport."""

from mailtrust.cli import postfix_compile
from mailtrust.cli.program import application

app = application()


@app.callback(epilog="Example: mailtrust postfix compile --dry-run")
def postfix() -> None:
    """Let Postfix believe its peers by the directory."""


app.command("compile", epilog=postfix_compile.EXAMPLE)(postfix_compile.compile_tables)
