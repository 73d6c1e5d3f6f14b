"""What git itself keeps of a work tree: objects, packs and indices, recognised by their own hashes.

A commit stores a second copy of every file, and its index is full of hashes that look like noise.
Neither is a copy that went anywhere or bytes that hide something, as long as they are what git
would write: an object lies under the hash of its content, a pack and an index end with theirs.
CAVEAT: only SHA-1 repositories are known; bytes made to look like a pack are not looked into.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from typing import Literal, TypeAlias

__all__ = ["GitKind", "git_kind", "is_stored_by"]

GitKind: TypeAlias = Literal["object", "pack", "index"]

MOST_BYTES = 64 * 1024 * 1024
"""A larger object is not recognised."""
_OBJECT = re.compile(r"(?:.*/)?\.git/objects/([0-9a-f]{2})/([0-9a-f]{38})")
_PACK = re.compile(r"(?:.*/)?\.git/objects/pack/(?:tmp_pack_\w+|pack-[0-9a-f]{40}\.pack)")
_INDEX = re.compile(
    r"(?:.*/)?\.git/(?:index|objects/pack/pack-[0-9a-f]{40}\.(?:idx|rev)"
    r"|objects/pack/multi-pack-index|objects/info/commit-graph)"
)
_INDEX_STARTS = (b"DIRC", b"\xfftOc", b"RIDX", b"MIDX", b"CGPH")


def git_kind(path: str, data: bytes) -> GitKind | None:
    """What of git's own the bytes at `path` are; None where they are not as git writes them.

    >>> git_kind(".git/index", b"DIRC, but not its hash") is None
    True
    """
    if found := _OBJECT.fullmatch(path):
        return "object" if _hash_inside(data) == found[1] + found[2] else None
    if _PACK.fullmatch(path) and data.startswith(b"PACK") and _ends_with_hash(data):
        return "pack"
    if _INDEX.fullmatch(path) and data.startswith(_INDEX_STARTS) and _ends_with_hash(data):
        return "index"
    return None


def is_stored_by(path: str, files: Iterable[str]) -> bool:
    """Whether the repository with `path` in its `.git` has one of the files in its work tree.

    Both are paths below the workspace.
    """
    root, mark, _ = f"/{path}".partition("/.git/")
    return bool(mark) and any(f"/{file}".startswith(f"{root}/") for file in files)


def _hash_inside(data: bytes) -> str | None:
    try:
        stream = zlib.decompressobj()
        content = stream.decompress(data, MOST_BYTES)
    except zlib.error:
        return None
    whole = stream.eof and not stream.unused_data
    return hashlib.sha1(content, usedforsecurity=False).hexdigest() if whole else None


def _ends_with_hash(data: bytes) -> bool:
    return hashlib.sha1(data[:-20], usedforsecurity=False).digest() == data[-20:]
