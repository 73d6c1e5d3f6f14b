"""The sweeps of `mdp.batched.deterministic_sweeps` in C, compiled with gcc -O3 at run time.

The same algorithm, layout and 64 lanes in single precision, to see what a compiled extension would
gain; degrees up to four, as on a grid.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCE = r"""
#include <stdint.h>
enum { LANES = 64 };

long rise(const uint32_t *restrict start, const uint32_t *restrict successor,
          const float *restrict reward, float *restrict value, float gamma, long n,
          uint32_t *restrict changed, uint32_t *restrict updated)
{
    uint32_t tick = 0;
    for (long s = 0; s < n; s++) changed[s] = updated[s] = 0;
    for (long sweep = 0; sweep < 1000; sweep++) {
        int rising = 0;
        for (long step = 0; step < n; step++) {
            long s = sweep & 1 ? n - 1 - step : step;
            uint32_t entry = start[s], end = start[s + 1];
            if (entry == end) continue;
            uint64_t i = successor[entry], j = successor[entry + 1], k = i, l = j;
            if (end - entry > 2) { k = successor[entry + 2]; l = successor[entry + 3]; }
            uint32_t p = changed[i] > changed[j] ? changed[i] : changed[j];
            uint32_t q = changed[k] > changed[l] ? changed[k] : changed[l];
            if (sweep >= 2 && (p > q ? p : q) <= updated[s]) continue;
            updated[s] = ++tick;
            const float *a = value + i * LANES, *b = value + j * LANES;
            const float *c = value + k * LANES, *d = value + l * LANES;
            const float *r = reward + s * LANES;
            float *v = value + s * LANES, best[LANES];
            for (int lane = 0; lane < LANES; lane++) {
                float x = a[lane] > b[lane] ? a[lane] : b[lane];
                float y = c[lane] > d[lane] ? c[lane] : d[lane];
                float z = r[lane] + gamma * (x > y ? x : y);
                best[lane] = z > v[lane] ? z : v[lane];
            }
            int rose = 0;
            for (int lane = 0; lane < LANES; lane++) {
                rose |= best[lane] > v[lane];
                v[lane] = best[lane];
            }
            if (rose) { changed[s] = tick; rising = 1; }
        }
        if (!rising) break;
    }
    return tick;
}
"""


def sweeps_in_c() -> Callable[..., int] | None:
    """`rise(start, successor, reward, value, gamma)`, or None without gcc."""
    if shutil.which("gcc") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "rise.c"), Path(folder, "rise.so")
        source.write_text(SOURCE, encoding="utf-8")
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, "-o", str(library), str(source)], check=True)
        function = ctypes.CDLL(str(library)).rise
    function.restype = ctypes.c_long

    def rise(
        start: NDArray[np.uint32],
        successor: NDArray[np.uint32],
        reward: NDArray[Any],
        value: NDArray[Any],
        gamma: float,
    ) -> int:
        n_states = len(start) - 1
        scratch = np.empty((2, n_states), np.uint32)
        arrays = (start, successor, reward, value)
        return int(
            function(
                *(ctypes.c_void_p(array.ctypes.data) for array in arrays),
                ctypes.c_float(gamma),
                ctypes.c_long(n_states),
                *(ctypes.c_void_p(row.ctypes.data) for row in scratch),
            )
        )

    return rise
