"""`mailtrust postfix`: Postfix as the transport: what is added, what is wrong, how to go back."""

from mailtrust.cli import postfix_check, postfix_compile, postfix_setup, postfix_undo
from mailtrust.cli.program import application

app = application()


@app.callback(epilog="Example: mailtrust postfix setup --dry-run")
def postfix() -> None:
    """Let Postfix believe its peers by the directory."""


app.command("setup", epilog=postfix_setup.EXAMPLE)(postfix_setup.setup)
app.command("compile", epilog=postfix_compile.EXAMPLE)(postfix_compile.compile_tables)
app.command("check", epilog=postfix_check.EXAMPLE)(postfix_check.check)
app.command("undo", epilog=postfix_undo.EXAMPLE)(postfix_undo.undo)
