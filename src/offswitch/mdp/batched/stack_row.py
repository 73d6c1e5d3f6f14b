"""A row of 64 lanes on the stack of a compiled function, for what is finished within it.

Nothing that was there before can point to such a row, and the compiler knows it. For scratch on the
heap it must compare addresses before every row, which costs a sweep a tenth of its time.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from offswitch.mdp.batched.lanes import CACHE_LINE, LANES

__all__ = ["stack_row"]


@intrinsic
def stack_row(typing_context: Any, like: Any) -> Any:  # Any: numba's types have no types
    """A pointer to 64 uninitialised numbers of the type of array `like`, on a cache line.

    Inside compiled functions only: `numba.carray(stack_row(value), (LANES,))`. It is gone when the
    function returns, and once per call site: a loop gets the same row again.
    """

    def reserve(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # Any: as above
        number = context.get_data_type(signature.return_type.dtype)
        row = cgutils.alloca_once(builder, number, size=LANES)
        row.align = CACHE_LINE
        return row

    return types.CPointer(like.dtype)(like), reserve
