"""Worker processes: started in no time from a server that has everything imported, killed, stopped and continued."""

from __future__ import annotations

import contextlib
import os
import signal
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from typing import Final

from benchmarks.crash.worker import Post, work

_CONTEXT: Final = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["benchmarks.crash.worker"])
_END_S: Final = 60.0


class Workforce:
    """So many workers, by their index."""

    def __init__(self, count: int, post: Post) -> None:
        self.ended = 0
        """Workers that were found to have ended by themselves; as the product's supervisor does, others are started."""
        self._post = post
        self._processes: list[ForkServerProcess] = [self._started(index) for index in range(count)]

    def __len__(self) -> int:
        return len(self._processes)

    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.pid is not None]

    def kill(self, index: int) -> None:
        """SIGKILL, and another in its place."""
        self.revive(index)
        self._processes[index].kill()
        self._processes[index].join(_END_S)
        self._processes[index] = self._started(index)

    def stop(self, index: int) -> int:
        """SIGSTOP; the process for `go_on`."""
        self.revive(index)
        pid = self._processes[index].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        return pid

    def revive(self, index: int) -> None:
        """Start another in the place of one that ended."""
        if not self._processes[index].is_alive():
            self.ended += 1
            self._processes[index] = self._started(index)

    def go_on(self, pid: int) -> None:
        """SIGCONT, unless it was killed meanwhile."""
        if pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """SIGTERM to all at once; who does not end by it is killed."""
        for pid in self.pids():
            self.go_on(pid)
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_END_S)
            process.kill()
            process.join()

    def _started(self, index: int) -> ForkServerProcess:
        process = _CONTEXT.Process(target=work, args=(index, self._post), daemon=True)
        process.start()
        return process
