"""What an agent did to the operator's terminal is undone when it is gone."""

from __future__ import annotations

import os
import pty
import select
import termios

from offswitch.guard.terminal import kept_terminal


def test_echo_and_interrupts_come_back_and_so_does_the_output() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with kept_terminal((theirs, theirs)):
        changed = termios.tcgetattr(theirs)
        changed[3] &= ~(termios.ISIG | termios.ECHO)
        termios.tcsetattr(theirs, termios.TCSANOW, changed)
        termios.tcflow(theirs, termios.TCOOFF)
    assert termios.tcgetattr(theirs) == before
    os.set_blocking(theirs, False)
    os.write(theirs, b"told")
    assert select.select([ours], [], [], 1.0)[0], "its output was not let go on"
    os.close(ours)
    os.close(theirs)


def test_what_is_no_terminal_or_is_gone_is_left_alone() -> None:
    read, write = os.pipe()
    ours, theirs = pty.openpty()
    with kept_terminal((read, write, theirs)):
        os.close(ours)
    for fd in (read, write, theirs):
        os.close(fd)
