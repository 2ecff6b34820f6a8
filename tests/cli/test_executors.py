"""`--workers` and `--dask`: who does the work of a command; where it matters, in a process of its own."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import distributed
import pytest

from zarrange.cli import executors
from zarrange.cli.executors import add_executor, executor


@pytest.fixture(scope="module")
def cluster():
    """A cluster of Dask on this machine."""
    with local_cluster(1) as cluster:
        yield cluster


def local_cluster(workers):
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=60,
    )


def options(*words):
    parser = argparse.ArgumentParser(prog="zarrange")
    add_executor(parser)
    return parser.parse_args(words)


def refused(capsys, *words):
    """What is printed where the words are refused, and that nothing else is."""
    with pytest.raises(SystemExit) as caught, executor(options(*words)):
        pass
    captured = capsys.readouterr()
    assert (caught.value.code, captured.out) == (2, "")
    return captured.err


@pytest.fixture
def soon(monkeypatch):
    """Who does not answer, is not waited for long."""
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT", 1.0)


@pytest.fixture
def listener():
    """A socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def address(listener):
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}"


class TestThreads:
    """`--workers N` is a pool of threads."""

    def test_nothing_asked(self):
        """Without options the operation chooses for itself."""
        with executor(options()) as found:
            assert found is None

    def test_threads(self):
        """There are as many threads as are asked for, and afterwards none."""
        with executor(options("--workers", "3")) as pool:
            barrier = threading.Barrier(3)
            begun = [pool.submit(barrier.wait) for _ in range(3)]
            assert sorted(future.result() for future in begun) == [0, 1, 2]
        assert isinstance(pool, ThreadPoolExecutor)
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(int)

    @pytest.mark.parametrize("number", ["0", "-1", "1001", "two", "1.5", "٣", ""])
    def test_no_number_of_workers(self, capsys, number):
        """A number of workers that cannot be is refused."""
        said = refused(capsys, f"--workers={number}")
        assert said.endswith(f"error: argument --workers: {number!r} is no number of workers from 1 to 1000\n")


LOCAL = """
    import os, signal, sys, time
    from types import SimpleNamespace

    from zarrange.cli.executors import executor

    def main():
        with executor(SimpleNamespace(dask="local", workers=2)) as found:
            {body}
        print("closed")

    if __name__ == "__main__":
        # Whoever runs the tests in the background has it ignored; the workers begin their own `__main__`.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
"""


def locally(tmp_path, body):
    """Begin a program that has an executor of Dask's workers on this machine."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(LOCAL).replace("{body}", textwrap.dedent(body).replace("\n", "\n        ")))
    return subprocess.Popen(
        [sys.executable, "-W", "error", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What such a program saw of its workers, line by line, and what was logged."""
    body = """
    import psutil
    print({future.result() for future in [found.submit(os.getpid) for _ in range(9)]} - {os.getpid()} != set())
    print(len(found._client.nthreads()), sum(found._client.nthreads().values()))
    own = psutil.Process()
    ports = [port for one in (own, *own.children(recursive=True)) for port in one.net_connections()]
    print({port.laddr.ip for port in ports if port.status == psutil.CONN_LISTEN})
    try:
        found.submit(os._exit, 3).result()
    except Exception as error:
        print(str(error).partition(", but")[0].partition(" on ")[2])
    """
    out, err = locally(tmp_path_factory.mktemp("program"), body).communicate(timeout=120)
    return SimpleNamespace(lines=out.splitlines(), err=err)


class TestLocal:
    """`--dask local` starts workers on this machine, and ends them."""

    def test_workers(self, seen):
        """They are other processes, as many as asked for, and are ended."""
        assert seen.lines[:2] == ["True", "2 2"]
        assert seen.lines[-1] == "closed"

    def test_ports(self, seen):
        """Nobody can reach them from elsewhere."""
        assert seen.lines[2] == "{'127.0.0.1'}"

    def test_worker_that_dies(self, seen):
        """The death of a worker is an error at once, and not tried on others."""
        assert seen.lines[3] == "1 different workers"

    def test_no_logs(self, seen):
        """Nothing of all that is logged on the screen."""
        assert (seen.err, len(seen.lines)) == ("", 5)

    def test_interrupt(self, tmp_path):
        """Ctrl-C, which a terminal sends to the workers too, is an interrupt of the command alone."""
        program = locally(tmp_path, "print(found.submit(len, 'abc').result(), flush=True); time.sleep(60)")
        assert program.stdout.readline() == "3\n"
        os.killpg(program.pid, signal.SIGINT)
        # Its output ends when the last of its processes does.
        _, err = program.communicate(timeout=120)
        assert err.splitlines()[-1] == "KeyboardInterrupt"
        assert err.count("Traceback") == 1


class TestConnected:
    """`--dask tcp://HOST:PORT` is a cluster that is there."""

    def test_work(self, cluster):
        """Its workers do the work, and go on afterwards."""
        for _ in range(2):
            with executor(options("--dask", cluster.scheduler_address)) as found:
                assert found.submit(os.getpid).result() != os.getpid()
                assert found.submit(sum, [1, 2]).result() == 3
        assert found._client.status == "closed"
        assert len(cluster.scheduler_info["workers"]) == 1

    def test_same_call_is_done_again(self, cluster):
        """The same call is not taken for the same result."""
        with executor(options("--dask", cluster.scheduler_address)) as found:
            assert len({found.submit(os.urandom, 8).result() for _ in range(5)}) == 5

    def test_no_workers_yet(self, capsys):
        """A cluster without workers is waited for, and that is said."""
        with (
            local_cluster(0) as empty,
            executor(options("--dask", empty.scheduler_address)) as found,
        ):
            waiting = found.submit(sum, [1, 2])
            empty.scale(1)
            assert waiting.result() == 3
        said = capsys.readouterr().err
        assert said == f"zarrange: the cluster at {empty.scheduler_address} has no workers yet; waiting for them\n"

    def test_workers_of_its_own(self, cluster, capsys):
        """It has its own workers, whose number is not for us to say."""
        place = cluster.scheduler_address
        said = refused(capsys, "--dask", place, "--workers", "2")
        assert said == f"zarrange: --workers does not go with --dask {place}: its cluster has its own workers\n"

    @pytest.mark.usefixtures("soon")
    def test_nobody_there(self, capsys, listener):
        """Where nobody listens, that is said with the address."""
        place = address(listener)
        listener.close()
        said = refused(capsys, "--dask", place)
        assert said.startswith(f"zarrange: no scheduler of Dask answers at {place}: ")
        assert said.count("\n") == 1

    @pytest.mark.usefixtures("soon")
    def test_nobody_speaks(self, capsys, listener):
        """Where somebody listens and says nothing, nobody waits forever."""
        place = address(listener)
        wanted = f"zarrange: no scheduler of Dask answers at {place}: it said nothing in 1 seconds\n"
        assert refused(capsys, "--dask", place) == wanted

    @pytest.mark.usefixtures("soon")
    def test_somebody_else_speaks(self, capsys, listener):
        """A server of something else is no scheduler."""

        def answer():
            with listener.accept()[0] as caller:
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                caller.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        place = address(listener)
        wanted = f"zarrange: no scheduler of Dask answers at {place}: what is there speaks otherwise\n"
        assert refused(capsys, "--dask", place) == wanted
        thread.join()

    def test_a_worker_is_no_scheduler(self, capsys, cluster):
        """The address of a worker is refused as what it is."""
        (place,) = cluster.scheduler_info["workers"]
        assert refused(capsys, "--dask", place) == f"zarrange: at {place} is no scheduler of Dask, but a worker\n"

    @pytest.mark.parametrize(
        "place", ["", "Local", "127.0.0.1:8786", "tcp://", "tcp://host", "http://host:1", "tcp://h:1/"]
    )
    def test_no_address(self, capsys, place):
        """What is no address is refused before anything is tried."""
        said = refused(capsys, "--dask", place)
        wanted = f"argument --dask: {place!r} is neither `local` nor an address such as tcp://127.0.0.1:8786\n"
        assert said.endswith(wanted)

    def test_quiet(self, cluster, capfd):
        """Dask logs nothing to the screen, and other loggers are as before."""
        import logging

        before = logging.root.manager.disable
        with executor(options("--dask", cluster.scheduler_address)) as found:
            logging.getLogger("distributed").critical("noise")
            assert found.submit(int).result() == 0
        assert logging.root.manager.disable == before
        assert capfd.readouterr() == ("", "")


class TestImports:
    """Dask is imported only by who asks for it."""

    def test_not_installed(self):
        """Without it the option says what to install."""
        program = """
        import sys
        sys.modules["distributed"] = None
        from types import SimpleNamespace
        from zarrange.cli.executors import executor
        with executor(SimpleNamespace(dask="local", workers=None)):
            pass
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
        )
        wanted = "zarrange: --dask needs distributed: pip install 'zarrange[dask]'\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", wanted)

    def test_no_import(self):
        """Threads need nothing of it, nor does importing the module."""
        program = """
        import sys
        from types import SimpleNamespace
        from zarrange.cli.executors import executor
        assert "concurrent.futures.thread" not in sys.modules
        with executor(SimpleNamespace(dask=None, workers=2)) as pool:
            assert pool.submit(int).result() == 0
        print({"dask", "distributed", "asyncio"} & {*sys.modules})
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("set()\n", "")
