"""A real server of the S3 protocol on loopback, which asks for credentials, behind a layer that injects faults.

The layer counts the requests, and may answer in the server's stead: for the first so many requests that fit.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import parse_qs

from attrs import define, field

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
