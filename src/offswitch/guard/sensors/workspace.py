"""Every file below a folder that the agent may write, and what changed between two looks.

The folder is hostile ground: no link is followed, nothing but plain files is opened, and there is
a bound on how much is looked at. What the bound leaves out is counted, never dropped in silence.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Container, Mapping
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "Change",
    "FileSeen",
    "TreeSnapshot",
    "changes",
    "read_plain",
    "shown_path",
    "snapshot_tree",
]

HASHED = 256 * 1024
MOST_FILES = 200_000
KEPT, MOST_KEPT = 64 * 1024, 64 * 1024 * 1024
DEEPEST = 200
Kind: TypeAlias = Literal["file", "folder", "link", "other"]

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""A folder that was renamed, removed or made a link since it was listed: the next look tells."""


class FileSeen(NamedTuple):
    """One name of the tree as it was at one look."""

    kind: Kind
    """other: a socket, a pipe or a device."""
    size: int
    """Bytes."""
    mode: int
    """Permission bits."""
    inode: int
    modified_ns: int
    """The agent can set this one; `changed_ns` it cannot."""
    changed_ns: int
    sha256: str | None = None
    """Of a plain file of at most `hashed` bytes, or of a link's text; None for all else."""
    content: bytes | None = None
    """The file's own bytes where they were asked for and are at most 64 KiB, of all 64 MiB."""
    attributes: int = 0
    """Bytes of the attributes that a user may set, names and values."""

    @property
    def executable(self) -> bool:
        """Whether anybody may execute it."""
        return self.kind == "file" and bool(self.mode & 0o111)


class TreeSnapshot(NamedTuple):
    """A tree at one look."""

    files: Mapping[str, FileSeen]
    """Path below the root, with slashes -> what is there. The root itself is left out."""
    unseen: int = 0
    """Folders that could not be read, and folders beyond the bound on files."""


class Change(NamedTuple):
    """One name that differs between two looks."""

    path: str
    word: Literal["created", "modified", "removed"]
    before: FileSeen | None
    after: FileSeen | None


def snapshot_tree(
    root: str | os.PathLike[str],
    previous: TreeSnapshot | None = None,
    *,
    wanted: Callable[[str], bool] = lambda path: False,
    unread: Container[str] = (),
    hashed: int = HASHED,
    most: int = MOST_FILES,
) -> TreeSnapshot:
    """The tree below `root` now. O(files); a file that has not changed since is not read again.

    `wanted` says of which paths the content is kept; those in `unread` are never opened, for a
    decoy must not be touched by its own guard.

    Raises:
        OSError: `root` itself cannot be read.
    """
    look = _Look(previous.files if previous is not None else {}, wanted, unread, hashed, most)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        look.folder(folder, "")
    finally:
        os.close(folder)
    return TreeSnapshot(look.files, look.unseen)


def changes(before: TreeSnapshot, after: TreeSnapshot) -> tuple[Change, ...]:
    """What differs, by path. A file rewritten with the same bytes is no change."""
    found = []
    for path in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(path), after.files.get(path)
        if old is None:
            found.append(Change(path, "created", None, new))
        elif new is None:
            found.append(Change(path, "removed", old, None))
        elif _differs(old, new):
            found.append(Change(path, "modified", old, new))
    return tuple(found)


def shown_path(path: str) -> str:
    """The path as a ledger can hold it: bytes that are no UTF-8 are spelt out."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def read_plain(path: str | os.PathLike[str], most: int, folder: int | None = None) -> bytes | None:
    """At most `most` bytes of a plain file; None when it is none, gone or closed to this user.

    Never waits: a pipe that was put in the file's place is not read. `folder` is an open folder
    that `path` is relative to.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with os.fdopen(os.dup(fd), "rb") as file:
            return file.read(most)
    except OSError:
        return None
    finally:
        os.close(fd)


class _Look:
    """One walk, folder by open folder, so that none can be swapped for a link meanwhile."""

    def __init__(
        self,
        old: Mapping[str, FileSeen],
        wanted: Callable[[str], bool],
        unread: Container[str],
        hashed: int,
        most: int,
    ) -> None:
        self.old, self.wanted, self.unread = old, wanted, unread
        self.hashed, self.most = hashed, most
        self.files: dict[str, FileSeen] = {}
        self.unseen = self.kept = 0

    def folder(self, fd: int, below: str, depth: int = 0) -> None:
        with os.scandir(fd) as entries:
            for entry in entries:
                path = f"{below}/{entry.name}" if below else entry.name
                if len(self.files) >= self.most:
                    self.unseen += 1
                    return
                self.files[path] = seen = self.seen(fd, entry, path)
                if seen.kind == "folder":
                    self.enter(fd, entry.name, path, depth + 1)

    def enter(self, parent: int, name: str, path: str, depth: int) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            if depth > DEEPEST:
                raise OSError("too deep")
            fd = os.open(name, flags, dir_fd=parent)
        except OSError as problem:  # closed to this user or below the bound; or no folder any more
            self.unseen += problem.errno not in _GONE
            return
        try:
            self.folder(fd, path, depth)
        except OSError:
            self.unseen += 1
        finally:
            os.close(fd)

    def seen(self, fd: int, entry: os.DirEntry[str], path: str) -> FileSeen:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return FileSeen("other", 0, 0, 0, 0, 0)
        now = FileSeen(
            _kind(status.st_mode), status.st_size, status.st_mode & 0o7777, status.st_ino,
            status.st_mtime_ns, status.st_ctime_ns,
        )  # fmt: skip
        old, wanted = self.old.get(path), self.wanted(path)
        same = old is not None and old._replace(sha256=None, content=None, attributes=0) == now
        if old is not None and same and (not wanted or old.content is not None or now.size > KEPT):
            self.kept += len(old.content or b"")
            return old
        if now.kind == "link":
            return now._replace(sha256=_link_hash(entry.name, fd))
        if now.kind == "file":
            now = now._replace(attributes=_attributes(entry.name, fd))
        if now.kind != "file" or now.size > self.hashed or path in self.unread:
            return now
        content = read_plain(entry.name, self.hashed, fd)
        if content is None:
            return now
        # Beyond the bound on all of them a content is unknown, which never speaks for the agent.
        wanted = wanted and len(content) <= KEPT and self.kept + len(content) <= MOST_KEPT
        kept = content if wanted else None
        self.kept += len(kept or b"")
        return now._replace(sha256=hashlib.sha256(content).hexdigest(), content=kept)


def _attributes(name: str, folder: int) -> int:
    """Bytes of a file's own attributes; what cannot be asked for is none."""
    path = f"/proc/self/fd/{folder}/{name}"
    try:
        names = os.listxattr(path, follow_symlinks=False)
        own = [one for one in names if one.startswith("user.")]
        return sum(len(one) + len(os.getxattr(path, one, follow_symlinks=False)) for one in own)
    except OSError:
        return 0


def _link_hash(name: str, folder: int) -> str | None:
    try:
        return hashlib.sha256(os.fsencode(os.readlink(name, dir_fd=folder))).hexdigest()
    except OSError:
        return None


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _differs(old: FileSeen, new: FileSeen) -> bool:
    if (old.kind, old.mode, old.attributes) != (new.kind, new.mode, new.attributes):
        return True
    if new.kind == "folder":
        return False
    if old.sha256 is not None and new.sha256 is not None:
        return old.sha256 != new.sha256
    return (old.size, old.inode, old.modified_ns, old.changed_ns) != (
        new.size, new.inode, new.modified_ns, new.changed_ns,
    )  # fmt: skip
