"""Connection: a store's URL and its options, made into a client of obstore; and refusals in words of our own.

What obstore raises may hold request URLs, key ids and whatever a server answers. Nothing of it goes on but an HTTP
status and an error code, neither as a message nor as the context of an exception. Options are handed over, not kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from zarrange.errors import AccessDeniedError, StoreError, UnreadableError
from zarrange.identifiers import refuse_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["Absent", "Address", "Taken", "asked", "awaited", "connect", "is_proper", "parse_url", "refuse_pickle"]

T = TypeVar("T")

CLIENTS = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore", "memory": "MemoryStore"}
NO_REPLACING = {"s3": ("copy_if_not_exists", "multipart")}
"""How copies are told not to replace anything, where that has to be said: in parts, they can be conditional."""
EXPRESS = "--x-s3"
"""How the names of the buckets of S3 end that do not list their keys in order."""
RETRIES: dict[str, Any] = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}
"""Some 30 seconds in all, then it is said that the server does not answer."""
WHOLE = frozenset({"client_options", "retry_config", "credential_provider"})
"""The options that are not settings of the store itself."""
FROM_URL = re.compile(r"prefix|(?:aws_|google_)?bucket(?:_name)?|(?:azure_)?container_name").fullmatch
IN_ENVIRONMENT = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Where obstore looks for an endpoint that is not given."""
ENDPOINT = re.compile(r"\w*endpoint(?:_url)?(?:_s3)?").fullmatch
_IMPROPER = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)|[\x00-\x1f\x7f\ud800-\udfff]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,15}").fullmatch


class Absent(Exception):  # noqa: N818 - no error by itself, and never leaves this package
    """There is no such object."""


class Taken(Exception):  # noqa: N818 - as above
    """There is such an object already; or, where one was to be changed, another one by now."""


@frozen
class Address:
    """What a URL says: `url` is without a slash at its end; `prefix` has none at either end."""

    url: str
    scheme: str
    bucket: str
    prefix: str

    @property
    def is_ordered(self) -> bool:
        """Whether keys are listed in the order of their characters. Azure promises no order."""
        return self.scheme != "az" and not self.bucket.endswith(EXPRESS)


def is_proper(path: str) -> bool:
    """Return whether a path can be an object's: no empty segment, no `.` and `..`, no control character."""
    return _IMPROPER.search(path) is None


def parse_url(url: str) -> Address:
    """Return what a URL says; it is taken as it is written, `%20` and all. Raises `ValueError`."""
    refuse_credentials(url, "the store's root")
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in CLIENTS:
        if scheme == "file" and mark:
            raise ValueError("the root of a store on a local disk is given as its path, without `file://`")
        known = ", ".join(f"{one}://" for one in CLIENTS)
        said = f", not with {scheme}://" if mark and _SCHEME(scheme) else ""
        raise ValueError(f"a store's URL begins with one of {known}{said}")
    bucket, _, prefix = rest.rstrip("/").partition("/")
    if not bucket:
        raise ValueError(f"the store's root {url!r} has no bucket")
    if not is_proper(f"{bucket}/{prefix}" if prefix else bucket):
        raise ValueError(f"the store's root {url!r} has an empty segment, `.`, `..` or a control character")
    return Address(url.rstrip("/"), scheme, bucket, prefix)


def refuse_pickle(url: str) -> None:
    """Refuse to pickle what is in the memory of this process: elsewhere it would be empty. Raises `TypeError`."""
    if url.startswith("memory://"):
        raise TypeError(f"what is at {url} is in the memory of this process, and cannot be pickled")


# --- options ---------------------------------------------------------------------------------------------------------


_memories: dict[str, Any] = {}
_memories_lock = Lock()


def connect(address: Address, options: Mapping[str, Any]) -> Any:
    """Return obstore's client of a whole bucket. Raises `ValueError`: with an option's name, not its value."""
    try:
        from obstore import store as clients
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise ModuleNotFoundError(
            f"a store at {address.scheme}:// needs obstore: pip install 'zarrange[remote]'", name="obstore"
        ) from None
    if address.scheme == "memory":
        if options:
            raise ValueError(f"memory:// takes no storage options, but `{next(iter(options))}` is given")
        with _memories_lock:
            return _memories.setdefault(address.bucket, clients.MemoryStore())
    client = getattr(clients, CLIENTS[address.scheme])
    _check_options(options)
    arguments = _arguments(options)
    if address.scheme in NO_REPLACING and not any("copy_if_not_exists" in name for name in options):
        arguments["config"] |= [NO_REPLACING[address.scheme]]
    try:
        return client(address.bucket, **arguments)
    except Exception:  # noqa: BLE001 - of any sort, and its message may show a value
        culprit = _culprit(client, address.bucket, options)
    raise ValueError(
        f"the storage option `{culprit}` is not known, or its value is not accepted"
        if culprit
        else f"the storage options do not fit together, or what the environment says of {address.scheme}:// is wrong"
    )


def _check_options(options: Mapping[str, Any]) -> None:
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise TypeError("storage options are a mapping, from their names to their values")
    for name, value in options.items():
        if FROM_URL(name):
            raise ValueError(f"the storage option `{name}` cannot be given: the URL says it")
        if name not in WHOLE and not isinstance(value, str | bool):
            raise ValueError(f"the storage option `{name}` is text, or true or false, not {type(value).__name__}")
        if name in WHOLE and not isinstance(value, Mapping):
            raise ValueError(f"the storage option `{name}` is a mapping, not {type(value).__name__}")
    retries = options.get("retry_config") or {}
    # obstore would pass over these, and the defaults be in force.
    for known, given in ((RETRIES, retries), (RETRIES["backoff"], retries.get("backoff", {}))):
        for name in given:
            if name not in known:
                raise ValueError(f"`{name}` in the storage option `retry_config` is not known; {', '.join(known)} are")


def _is_endpoint(written: str) -> bool:
    try:
        parts = urlsplit(written)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", written)
    except ValueError:
        return False


def _arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    config = {name: value for name, value in options.items() if name not in WHOLE}
    found = {name: value for name, value in options.items() if name in WHOLE}
    given = {name: str(value) for name, value in config.items() if ENDPOINT(name)}
    endpoints = given or {name: os.environ[name] for name in IN_ENVIRONMENT if name in os.environ}
    for name, endpoint in endpoints.items():
        if not _is_endpoint(endpoint):
            # obstore would panic at the first request.
            raise ValueError(f"the endpoint of the object store, `{name}`, is not http:// or https:// and a host")
    # Whoever writes http:// means it; obstore would refuse it with each request.
    if any(endpoint.startswith("http://") for endpoint in endpoints.values()):
        # Given none, obstore looks into the environment.
        found["client_options"] = {"allow_http": True, **(options.get("client_options") or {})}
    found["retry_config"] = {**RETRIES, **(options.get("retry_config") or {})}
    return {"config": config, **found}


def _culprit(client: Callable[..., Any], bucket: str, options: Mapping[str, Any]) -> str | None:
    """Return the option without which all others are accepted, or else one that is not accepted alone."""
    for name, rest in _each_left_out(options):
        if _is_accepted(client, bucket, rest):
            return name
    return next((name for name, alone in _each_alone(options) if not _is_accepted(client, bucket, alone)), None)


def _is_accepted(client: Callable[..., Any], bucket: str, options: Mapping[str, Any]) -> bool:
    try:
        client(bucket, **_arguments(options))
    except Exception:  # noqa: BLE001 - of any sort
        return False
    return True


def _each_left_out(options: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in options.items():
        others = {other: one for other, one in options.items() if other != name}
        if name == "client_options" and isinstance(value, dict):
            for inner in value:
                rest = {other: one for other, one in value.items() if other != inner}
                yield f"{name}.{inner}", {**others, name: rest}
        else:
            yield name, others


def _each_alone(options: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in options.items():
        if name == "client_options" and isinstance(value, dict):
            yield from ((f"{name}.{inner}", {name: {inner: one}}) for inner, one in value.items())
        else:
            yield name, {name: value}


# --- refusals --------------------------------------------------------------------------------------------------------


def asked(verb: str, ask: Callable[..., T], *args: Any, **options: Any) -> T:
    """Ask obstore. Raises `Absent` and `Taken`.

    Whatever else fails is an `UnreadableError` ("cannot be read: …"), or for another verb a `StoreError`.
    """
    try:
        return ask(*args, **options)
    except Exception as error:  # noqa: BLE001 - told in words of our own
        refusal = _refusal(verb, error)
    # Raised out here, it has no context that would show the original, nor has this frame.
    raise refusal


async def awaited(verb: str, answer: Awaitable[T]) -> T:
    """Wait for an answer of obstore's. Raises as `asked`."""
    try:
        return await answer
    except Exception as error:  # noqa: BLE001 - as above
        refusal = _refusal(verb, error)
    raise refusal


def _refusal(verb: str, error: Exception) -> Exception:
    text = str(error)
    code = _CODE.search(text)
    status = _STATUS.search(text)
    name = code[1] if code else ""
    if isinstance(error, FileNotFoundError) and name not in _NO_BUCKET:
        return Absent()
    if type(error).__name__ == _TAKEN.get(verb):
        return Taken()
    shown = " ".join(one for one in (status[1] if status else "", name) if one)
    reason = _reason(error, text, name, int(status[1]) if status else 0)
    kind = StoreError if verb != "read" else AccessDeniedError if reason.startswith(_DENIED) else UnreadableError
    return kind(f"cannot be {verb}: {reason}{f' ({shown})' if shown else ''}")


_TAKEN = {"created": "AlreadyExistsError", "changed": "PreconditionError"}
# A key's id has digits and capitals only, and a secret is not written as a code.
_CODE = re.compile(r"(?:<Code>|\(code: )((?:[A-Z][a-z]+)+)(?:</Code>|\))")
_STATUS = re.compile(r"status code: (\d{3})\b")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_EXPIRED = frozenset({"ExpiredToken", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN = frozenset({"InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_NOWHERE = ("169.254.16", "metadata.google")
"""The addresses at which a machine of a cloud is told its own credentials."""
_BUSY = (429, 503)
_DENIED = "access denied"


def _reason(error: Exception, text: str, code: str, status: int) -> str:
    if code in _NO_BUCKET:
        return "there is no such bucket"
    if code in _EXPIRED:
        return "the credentials have expired"
    if any(part in text for part in _NOWHERE):
        return "there are no credentials for it in the environment"
    if code in _UNKNOWN:
        return f"{_DENIED}: the credentials are not accepted"
    if status in {401, 403} or code == "AccessDenied":
        return _DENIED
    if status in _BUSY:
        return "the server is too busy"
    if status:
        return "the server failed" if status >= 500 else "the server refused the request"  # noqa: PLR2004 - HTTP's
    if type(error).__name__ == "InvalidPathError":
        return "there is a key with an empty segment, with `.` or `..`, or with a control character in it"
    return next((reason for part, reason in _SIGNS if part in text), "the request failed")


_SIGNS = (
    ("redirect without LOCATION", "the bucket is in another region"),
    ("builder error", "the endpoint is not a URL that may be asked"),
    ("timed out", "the server does not answer in time"),
    ("error sending request", "the server cannot be reached"),
)
