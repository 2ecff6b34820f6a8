"""A real server: where it listens, whom it answers, how it ends; and the command `zarrange serve`."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.stores.servers import REGION
from tests.web.conftest import fill

from zarrange.cli import main
from zarrange.web.security import ANY_HOST, LOOPBACK_HOSTS
from zarrange.web.serving import Listener, listening, running

ARRAY = "r1/validation.zarr/iterations/00001000/crop1/prediction"


# --- in this process -------------------------------------------------------------------------------------------------


def test_a_real_server(filled):
    """A server answers over the network, on 127.0.0.1 and on a port that was free, until its context ends."""
    with running(filled) as url:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        found = httpx.get(f"{url}/data/{ARRAY}/zarr.json")
        assert found.json()["node_type"] == "array"
        assert "server" not in found.headers
        with httpx.Client() as client:
            assert [client.head(f"{url}/image/{ARRAY}").status_code for _ in range(3)] == [200] * 3
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_several_servers(filled, tmp_path):
    """Several servers run at the same time, each with its own store."""
    other = fill(tmp_path / "other", runs=("r2",), iterations=(1000,))
    with running(filled) as one, running(other) as two:
        assert httpx.get(f"{one}/data/{ARRAY}/zarr.json").status_code == 200
        assert httpx.get(f"{two}/data/{ARRAY}/zarr.json").status_code == 404


def test_what_is_under_way_is_answered(filled):
    """An answer that has begun is ended before the server is."""
    with running(filled) as url, httpx.stream("GET", f"{url}/data/{ARRAY}/zarr.json") as answer:
        whole = answer.read()
    assert whole == Path(filled.root, ARRAY, "zarr.json").read_bytes()


def test_other_hosts_are_refused(served):
    """A real server refuses a request for another host, and one that is no request."""
    assert httpx.get(f"{served.url}/", headers={"Host": "evil.example"}).status_code == 421
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(b"\0\1\2 nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{served.url}/api/runs").status_code == 200


@contextmanager
def listened(host, port=0):
    listener = listening(host, port)
    try:
        yield listener
    finally:
        listener.socket.close()


def test_loopback():
    """On loopback it answers to the names of loopback only."""
    for host in ("127.0.0.1", "localhost"):
        with listened(host) as listener:
            assert listener.is_loopback
            assert listener.hosts == LOOPBACK_HOSTS
            assert listener.url == f"http://{host}:{listener.port}"


def test_other_names_of_loopback():
    """An address of this machine that was asked for is a name that it answers to."""
    with listened("127.0.0.2") as listener:
        assert (listener.is_loopback, listener.hosts) == (True, LOOPBACK_HOSTS | {"127.0.0.2"})


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6():
    """An address of IPv6 stands in brackets."""
    with suppress(OSError), listened("::1") as listener:  # which not every machine has
        assert (listener.url, listener.hosts) == (f"http://[::1]:{listener.port}", LOOPBACK_HOSTS)


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_everywhere(host):
    """On all addresses it answers to every name: nobody knows by which this machine is called."""
    with listened(host) as listener:
        assert (listener.is_everywhere, listener.is_loopback) == (True, False)
        assert listener.hosts == {ANY_HOST}
        assert listener.url == f"http://127.0.0.1:{listener.port}"


def test_a_port_in_use(filled):
    """A port that somebody listens on is told as such, with what would help, and stays theirs."""
    with running(filled) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 is in use; --port 0 takes one that is free"):
            listening("127.0.0.1", port)
        assert httpx.get(f"{url}/api/runs").status_code == 200


@pytest.mark.parametrize("host", ["nowhere.invalid", "300.1.1.1", "192.0.2.1", "a b", "x" * 300])
def test_addresses_of_others(host):
    """What is no address of this machine is refused in one line."""
    with pytest.raises(OSError, match=r"^'.*' is no address of (a|this) machine$"):
        listening(host, 0)


def test_a_listener_is_open():
    """What listens takes connections before anything answers: a browser that comes early waits."""
    with listened("127.0.0.1") as listener:
        assert isinstance(listener, Listener)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=5):
            pass


# --- the command -----------------------------------------------------------------------------------------------------


@contextmanager
def command(*arguments, **environment):
    """Run `zarrange serve`; it gives the process and its first line, and is ended by its number."""
    process = subprocess.Popen(
        [sys.executable, "-m", "zarrange", "serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    try:
        yield process, process.stdout.readline()
    finally:
        alarm.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


def url_of(line):
    return re.search(r"http://\S+(?=/ )", line)[0]


def test_the_command(filled):
    """`zarrange serve` says where it is, answers there, and ends by Ctrl-C without a word."""
    with command(filled.root, "--port", "0") as (process, line):
        assert re.fullmatch(rf"{re.escape(filled.root)} is shown at http://127\.0\.0\.1:\d+/ until Ctrl-C\n", line)
        assert httpx.get(f"{url_of(line)}/data/{ARRAY}/zarr.json").status_code == 200
        assert httpx.get(f"{url_of(line)}/").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_the_command_is_terminated(filled):
    """A request to terminate ends it too, without a traceback."""
    with command(filled.root, "--port", "0") as (process, line):
        assert httpx.get(f"{url_of(line)}/api/runs").status_code == 200
        process.terminate()
        assert process.wait(30) in {0, -signal.SIGTERM}
        assert process.stderr.read() == ""


def test_the_command_with_browsers_that_stay(filled):
    """Connections that browsers keep open do not keep it from ending."""
    with command(filled.root, "--port", "0") as (process, line), httpx.Client() as client:
        assert client.get(f"{url_of(line)}/api/runs").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_the_command_warns(filled):
    """Who lets others in is told so, and that names of hosts are not looked at."""
    with command(filled.root, "--port", "0", "--host", "0.0.0.0") as (process, line):
        assert httpx.get(f"{url_of(line)}/api/runs", headers={"Host": "gpu7.example"}).status_code == 200
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert process.stderr.read().splitlines() == [
            "zarrange: whoever can reach this machine by the network sees it too, without a password",
            "zarrange: requests are answered whatever host they name",
        ]


def test_the_command_opens_a_browser(filled, tmp_path):
    """With `--open`, the browser of this machine is shown where it is."""
    told = tmp_path / "told"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}.part\nmv {told}.part {told}\n')
    browser.chmod(0o755)
    with command(filled.root, "--port", "0", "--open", BROWSER=f"{browser} %s") as (process, line):
        url = url_of(line)
        assert httpx.get(f"{url}/api/runs").status_code == 200
        while not told.exists():
            assert process.poll() is None
        assert told.read_text() == f"{url}/\n"


def test_the_command_for_an_object_store(s3):
    """An object store is shown by its URL, with the credentials of the environment, which are never printed."""
    bucket = s3.new_bucket()
    fill(f"s3://{bucket}/runs", runs=("r1",), iterations=(1000,), storage_options=s3.options())
    environment = {
        "AWS_ACCESS_KEY_ID": s3.key_id,
        "AWS_SECRET_ACCESS_KEY": s3.secret,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT": s3.url,
    }
    with command(f"s3://{bucket}/runs", "--port", "0", **environment) as (process, line):
        assert line.startswith(f"s3://{bucket}/runs is shown at ")
        url = url_of(line)
        pages = [httpx.get(f"{url}{path}", timeout=60) for path in ("/", f"/image/{ARRAY}", f"/data/{ARRAY}/zarr.json")]
        assert [one.status_code for one in pages] == [200] * 3
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        printed = line + process.stdout.read() + process.stderr.read() + "".join(map(str, (one.text for one in pages)))
    assert s3.secret not in printed
    assert s3.key_id not in printed


def run(capsys, *arguments):
    """Run a command in this process that ends by itself; return its status and what it prints."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", *map(str, arguments)])
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


def test_the_command_on_a_port_in_use(filled, served, capsys):
    """A port in use is one line."""
    status, out, err = run(capsys, filled.root, "--port", served.port)
    assert (status, out) == (2, "")
    assert err == f"zarrange: port {served.port} of 127.0.0.1 is in use; --port 0 takes one that is free\n"


@pytest.mark.parametrize("port", ["-1", "65536", "x", "", "8000.0", "٣", "1" * 30])
def test_the_command_with_no_port(filled, capsys, port):
    """What is no port is refused before anything is opened."""
    status, out, err = run(capsys, filled.root, f"--port={port}")
    assert (status, out) == (2, "")
    assert "is no port: a port is a number from 0 to 65535" in err


def test_the_command_without_a_store(tmp_path, capsys):
    """A root that is not there, or has no layout, is refused as any command refuses it."""
    status, _, err = run(capsys, tmp_path / "absent")
    assert (status, err) == (2, f"zarrange: {str(tmp_path / 'absent')!r} is no folder, so there is no store\n")
    status, _, err = run(capsys, tmp_path)
    assert (status, "layout" in err) == (2, True)
    status, _, err = run(capsys, tmp_path, "--layout", "nothing")
    assert status == 2


def test_the_command_on_an_address_of_others(filled, capsys):
    """An address that is not of this machine is one line."""
    status, out, err = run(capsys, filled.root, "--host", "192.0.2.1", "--port", "0")
    assert (status, out, err) == (2, "", "zarrange: '192.0.2.1' is no address of this machine\n")


def test_help_is_light():
    """Help comes without starlette and uvicorn, and names what there is to say."""
    code = (
        "import sys\nfrom zarrange.cli import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: print(*{'starlette', 'uvicorn', 'zarr', 'numpy', 'attrs'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    assert last == ""
    for option in ("--layout", "--host", "--port", "--open"):
        assert any(option in line for line in lines)


def test_without_the_extra(filled, tmp_path):
    """Without the extra, it is said what to install."""
    for name in ("starlette", "uvicorn"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name}', name='{name}')")
        with command(filled.root, "--port", "0", PYTHONPATH=str(folder)) as (process, line):
            assert process.wait(30) == 2
            assert line == ""
            assert process.stderr.read() == f"zarrange: `serve` needs {name}: pip install 'zarrange[web]'\n"
