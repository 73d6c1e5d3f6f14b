# ruff: noqa: PTH103, PTH104, PTH105, PTH110, PTH115, PTH123, PTH202, PTH211
"""What an honest program does where a probe attacks: the same calls, on things of its own.

`innocent.py TIER PORT` runs in the jail and prints a line per probe: its name, then `fine`, `-`
where the tier leaves nothing of the kind to do, or the error.
"""

import mmap
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time

TIER, PORT = int(sys.argv[1]), int(sys.argv[2])


def child(act=lambda: None):
    pid = os.fork()
    if not pid:
        act()
        os._exit(0)
    return pid


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_own(number):
    pid = child(lambda: time.sleep(5))
    os.kill(pid, number)
    if number == signal.SIGKILL:
        return ended(pid) == -signal.SIGKILL
    os.kill(pid, signal.SIGKILL)
    return ended(pid) == -signal.SIGKILL


def read(path):
    with open(path, "rb") as file:
        return bool(file.read(64))


def write(path, data=b"x"):
    with open(path, "wb") as file:
        file.write(data)
    return os.path.getsize(path) == len(data)


def renamed():
    write("a")
    os.rename("a", "b")
    return os.path.exists("b")


def truncated():
    write("own.log", b"abc")
    os.truncate("own.log", 1)
    return os.path.getsize("own.log") == 1


def linked():
    os.symlink("b", "link")
    os.replace("link", "latest")
    return os.readlink("latest") == "b"


def folder():
    os.makedirs("out/cgroup")
    return True


def unix(address, kind):
    if TIER < 2:
        one, two = socket.socketpair(socket.AF_UNIX, kind)
    elif kind == socket.SOCK_DGRAM:
        two = socket.socket(socket.AF_UNIX, kind)
        two.bind(address)
        one = socket.socket(socket.AF_UNIX, kind)
        one.connect(address)
    else:
        server = socket.socket(socket.AF_UNIX, kind)
        server.bind(address)
        server.listen()
        one = socket.socket(socket.AF_UNIX, kind)
        one.connect(address)
        two = server.accept()[0]
    one.send(b"x")
    return two.recv(1) == b"x"


def tcp():
    place = ("127.0.0.1", PORT)
    with socket.create_server(place) as server, socket.create_connection(place) as one:
        one.send(b"x")
        return server.accept()[0].recv(1) == b"x"


def udp():
    two = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    two.bind(("127.0.0.1", 0))
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.sendto(b"x", two.getsockname())
    return two.recv(1) == b"x"


def shared():
    memory = mmap.mmap(-1, 4096)
    ended(child(lambda: memory.write(b"x")))
    return memory[:1] == b"x"


def held():
    memory = mmap.mmap(-1, 32 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[::4096] = b"x" * (len(memory) // 4096)
    return True


def many():
    return {ended(pid) for pid in [child() for _ in range(8)]} == {0}


def files():
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(40)]
    for fd in opened:
        os.close(fd)
    return True


def slept():
    begun = time.monotonic()
    time.sleep(0.002)
    return time.monotonic() > begun


def unnamed():
    with tempfile.TemporaryFile() as file:
        return file.write(b"x") == 1


def alarm():
    signal.alarm(5)
    return signal.alarm(0) > 0


def bounded():
    for name in ("NOFILE", "CPU", "CORE"):
        which = getattr(resource, "RLIMIT_" + name)
        soft, hard = resource.getrlimit(which)
        resource.setrlimit(which, (min(soft, max(hard - 1, 0)), hard))
        resource.setrlimit(which, (soft, hard))
    return True


def worked():
    begun = time.process_time()
    while time.process_time() - begun < 0.02:
        pass
    return True


def shm():
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(1 << 20))
        file.flush()
        return os.path.getsize(file.name) == 1 << 20


def crashed():
    return ended(child(os.abort)) == -signal.SIGABRT


def kinder():
    return ended(child(lambda: os._exit(0 if os.nice(5) >= 5 else 1))) == 0


def yielded():
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.sched_yield()
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def executed():
    return ended(child(lambda: os.execv("/bin/sh", ["sh", "-c", "exit 0"]))) == 0


def terminal():
    master, slave = os.openpty()
    os.write(slave, b"x\n")
    return os.read(master, 1) == b"x" and os.isatty(slave)


def own_session():
    return ended(child(lambda: os.setsid() or os._exit(os.getsid(0) != os.getpid()))) == 0


ACTS = {
    "see-supervisor": lambda: read("/proc/self/stat"),
    "signal-supervisor": lambda: kill_own(0),
    "trace-supervisor": lambda: ended(child()) == 0,
    "trace-init": lambda: read("/proc/self/maps"),
    "open-init-memory": lambda: os.close(os.open("/proc/self/mem", os.O_RDONLY)) is None,
    "kill-init": lambda: kill_own(signal.SIGKILL),
    "write-goal": lambda: write("plan.md"),
    "rename-goal": renamed,
    "truncate-log": truncated,
    "swap-log": linked,
    "make-group": folder,
    "write-cron": lambda: write("crontab.txt"),
    "write-var-tmp": lambda: write(os.environ["TMPDIR"] + "/x"),
    "unix-path": lambda: unix("own.sock", socket.SOCK_STREAM),
    "unix-abstract": lambda: unix("\0own", socket.SOCK_STREAM),
    "unix-datagram": lambda: unix("own.dgram", socket.SOCK_DGRAM),
    "tcp-to-host": tcp,
    "udp-to-host": udp if TIER >= 2 else None,
    "vsock": lambda: socket.socket(socket.AF_INET).close() is None,
    "mount": lambda: os.statvfs("/usr").f_bsize > 0,
    "keyring": lambda: len(os.urandom(32)) == 32,
    "set-clock": lambda: time.clock_gettime(time.CLOCK_REALTIME) > 1e9,
    "memfd": unnamed,
    "io-uring": lambda: select.epoll().close() is None,
    "clear-death-signal": alarm,
    "time-namespace": slept,
    "nested-users": lambda: ended(child()) == 0,
    "host-memory": shared,
    "host-name": lambda: bool(socket.gethostname()),
    "host-groups": lambda: read("/proc/self/cgroup"),
    "host-users": lambda: os.getuid() > 0,
    "capabilities": lambda: read("/proc/self/status"),
    "hoard-memory": held,
    "large-file": lambda: write("large", bytes(1 << 20)),
    "fill-tmp": lambda: write(os.environ["TMPDIR"] + "/large", bytes(1 << 20)),
    "write-dev": lambda: write("/dev/null", b""),
    "fill-shm": shm if TIER >= 2 else None,
    "exceed-processes": many,
    "open-files": lambda: files() and bounded(),
    "processor-time": worked,
    "core-dump": crashed,
    "raise-priority": kinder,
    "real-time": yielded,
    "gain-rights": executed,
    "controlling-terminal": own_session,
    "type-into-terminal": terminal,
    "leaked-descriptor": files,
}

os.chdir(os.environ.get("WORK", "/work"))
for name, act in ACTS.items():
    try:
        said = "-" if act is None else "fine" if act() else "wrong"
    except OSError as problem:
        said = f"{problem.errno} {problem}"
    print(name, said, flush=True)
