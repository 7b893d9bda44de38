"""Time limits of what is awaited."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator

if sys.version_info >= (3, 11):
  from asyncio import timeout
else:
  import anyio

  @contextlib.asynccontextmanager
  async def timeout(delay: float) -> AsyncIterator[None]:
    """Raises TimeoutError inside `async with` after so many seconds."""
    with anyio.fail_after(delay):
      yield


__all__ = ['timeout']
