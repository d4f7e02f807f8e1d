"""
A wall around each connection and each way out: what we did not foresee there ends there.

asyncio does so for its own callbacks; for tasks, a group would end all of them for the fault of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def contained(work: Awaitable[None], what: str) -> bool:
    """Do *work*; False where it met a fault.  The loop's exception handler is told, and writes the trace."""
    try:
        await work
    except Exception as fault:  # noqa: BLE001  # whatever it is, the others go on
        context = {"message": f"{what} met a fault", "exception": fault}
        asyncio.get_running_loop().call_exception_handler(context)
        return False
    return True
