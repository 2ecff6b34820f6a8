"""Real servers on loopback that ask for credentials: one of the S3 protocol, and one of Azure's blobs.

That of S3 is behind a layer that counts the requests, and may answer in its stead: for the first so many that fit.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import re
import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from urllib.parse import parse_qs

from attrs import define, field
from tests.tools import of_npm

REGION = "us-east-1"
QUICK = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=5),
    "backoff": {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=5)},
}
"""Tests wait for no server."""
BOOT_ACTIONS = 3
"""So many requests are answered without credentials: those that make the first user."""


@define
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, list[str]]

    @property
    def is_listing(self) -> bool:
        return self.query.get("list-type") == ["2"]

    @property
    def is_next_page(self) -> bool:
        return self.is_listing and "continuation-token" in self.query


@define
class Fault:
    """What is answered to requests that `fits`, `times` times; with `is_late`, the server has done what was asked."""

    status: str
    code: str
    fits: object
    times: float = float("inf")
    is_late: bool = False
    secret: str = field(default="", repr=False)

    @property
    def body(self) -> bytes:
        # Real servers repeat the key's id, and what they think that was signed.
        return (
            f"<Error><Code>{self.code}</Code><Message>No: {self.secret}</Message>"
            f"<AWSAccessKeyId>{self.secret}</AWSAccessKeyId></Error>"
        ).encode()


@define
class S3Server:
    """The server: where it is, who may ask, what was asked, and what goes wrong."""

    url: str
    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    asked: list[Asked] = field(factory=list)
    faults: list[Fault] = field(factory=list)
    buckets: int = 0

    def options(self, **more):
        """The storage options of somebody who may do everything."""
        return {
            "access_key_id": self.key_id,
            "secret_access_key": self.secret,
            "region": REGION,
            "endpoint": self.url,
            "retry_config": QUICK,
            **more,
        }

    def client(self):
        """An independent client, as somebody else would use."""
        import boto3

        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, **_given(self.key_id, self.secret))

    def new_bucket(self) -> str:
        self.buckets += 1
        name = f"bucket-{self.buckets}"
        self.client().create_bucket(Bucket=name)
        self.asked.clear()
        return name

    def fail(self, status, code, fits=lambda _: True, *, times=float("inf"), is_late=False):
        """Let requests that fit fail from now on."""
        self.faults.append(Fault(status, code, fits, times, is_late, self.key_id))

    def count(self, fits=lambda _: True) -> int:
        return sum(1 for one in self.asked if fits(one))


def _given(key_id, secret):
    return {"aws_access_key_id": key_id, "aws_secret_access_key": secret}


class _Front:
    """The layer in front of the server."""

    def __init__(self, behind, server):
        self._behind = behind
        self._server = server
        self._lock = threading.Lock()

    def __call__(self, environ, start_response):
        asked = Asked(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        )
        fault = self._fault(asked)
        if fault is None:
            return self._behind(environ, start_response)
        if fault.is_late:
            for _ in self._behind(environ, lambda *_: None):
                pass
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = b"" if asked.method == "HEAD" else fault.body
        start_response(fault.status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    def _fault(self, asked):
        self._server.asked.append(asked)
        for fault in self._server.faults:
            if fault.fits(asked):  # not under the lock: it may ask the server itself
                with self._lock:
                    if fault.times > 0:
                        fault.times -= 1
                        return fault
        return None


_servers: list[S3Server] = []


@contextmanager
def s3_server():
    """The server, for as long as the context: one in a process, for its state is the process's."""
    if _servers:
        yield _servers[0]
        return
    with _started() as server:
        _servers.append(server)
        try:
            yield server
        finally:
            _servers.clear()


@contextmanager
def _started():
    # What moto and boto3 read when they are imported, or at the first request.
    os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = str(BOOT_ACTIONS)
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    del os.environ["INITIAL_NO_AUTH_ACTION_COUNT"]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server("", "", "")
    running = make_server(
        "127.0.0.1", 0, _Front(DomainDispatcherApplication(create_backend_app), server), threaded=True
    )
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        server.url = f"http://127.0.0.1:{running.server_port}"
        server.key_id, server.secret = new_user(server, "everything", "s3:*", "*")
        yield server
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def new_user(server, name, action, resource):
    """Make a user who may do an action with a resource; return the id and the secret of a key."""
    import boto3

    given = _given(server.key_id or "boot", server.secret or "boot")
    iam = boto3.client("iam", endpoint_url=server.url, region_name=REGION, **given)
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource}]
    if name == "everything":
        statements.append({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=policy)
    return key["AccessKeyId"], key["SecretAccessKey"]


# --- Azure -----------------------------------------------------------------------------------------------------------


@define
class AzureServer:
    """A server of Azure's blobs: its port, and the key of its one account."""

    port: int
    account: str
    key: str = field(repr=False)
    containers: int = 0

    def options(self):
        """The storage options of the account."""
        endpoint = f"http://127.0.0.1:{self.port}/{self.account}"
        return {"account_name": self.account, "account_key": self.key, "endpoint": endpoint, "retry_config": QUICK}

    def new_container(self) -> str:
        self.containers += 1
        name = f"container-{self.containers}"
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
        # What is signed: the verb, eleven headers that are not given, those of Azure, and what is asked for.
        given = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        signed = f"PUT{12 * chr(10)}{given}/{self.account}/{self.account}/{name}\nrestype:container"
        digest = hmac.new(base64.b64decode(self.key), signed.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.request("PUT", f"/{self.account}/{name}?restype=container", headers=headers)
        answer = connection.getresponse()
        if answer.status != 201:
            raise RuntimeError(f"{name}: {answer.status} {answer.reason}")
        connection.close()
        return name


@contextmanager
def azure_server():
    """The server, for as long as the context. Without it, tests are skipped."""
    script = of_npm("azurite/dist/src/blob/main.js")
    account, key = "somebody", base64.b64encode(os.urandom(32)).decode()
    # Newer clients speak newer versions of the protocol than it knows.
    options = ["--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "0", "--skipApiVersionCheck"]
    options += ["--disableTelemetry"]
    with subprocess.Popen(
        ["node", script, *options],
        env=os.environ | {"AZURITE_ACCOUNTS": f"{account}:{key}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            said = iter(running.stdout.readline, "")
            found = next(filter(None, (re.search(r"listens on \S+:(\d+)", line) for line in said)), None)
            if found is None:
                raise RuntimeError("the server of Azure's protocol has ended before it listened")
            threading.Thread(target=running.stdout.read, daemon=True).start()  # it says each request
            yield AzureServer(int(found[1]), account, key)
        finally:
            running.terminate()
