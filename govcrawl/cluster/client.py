"""Talks to nodes: scrapyd's HTTP API over TCP, TLS or a Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from govcrawl.items import GovcrawlError

_SECONDS = 120.0  # a deployment lists the spiders of a new version


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass(frozen=True, slots=True)
class Client:
    """One node and the credential for it; calls return scrapyd's answer or raise one clear line."""

    url: str
    username: str
    password: str
    ca: str = ""  # file of the certificate authority; empty: the system's

    def get(self, service: str, **parameters: str) -> dict[str, Any]:
        """Call a service that changes nothing."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._call("GET", f"/{service}.json{query}", b"", "")

    def post(self, service: str, files: Mapping[str, bytes] | None = None, **fields: str) -> dict[str, Any]:
        """Call a service that changes something."""
        if not files:
            body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        else:
            body, kind = _multipart(fields, files)
        return self._call("POST", f"/{service}.json", body, kind)

    def text(self, path: str) -> str:
        """Return a page that is no JSON, such as `/metrics`."""
        return self._send("GET", path, b"", "").decode("utf-8", "replace")

    def _call(self, method: str, path: str, body: bytes, kind: str) -> dict[str, Any]:
        data = self._send(method, path, body, kind)
        try:
            answer: dict[str, Any] = json.loads(data)
        except ValueError:
            raise GovcrawlError(f"node {self.url}: does not answer as scrapyd does") from None
        if answer.get("status") != "ok":
            message = str(answer.get("message", "no reason given"))
            raise GovcrawlError(
                f"node {self.url}: {(message.strip().splitlines() or ['no reason given'])[-1]}"
            )
        return answer

    def _send(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        word = b64encode(f"{self.username}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {word}", **({"Content-Type": kind} if kind else {})}
        connection = self._connection()
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise GovcrawlError(f"node {self.url} cannot be reached: {reason}") from error
        finally:
            connection.close()
        if response.status == http.HTTPStatus.UNAUTHORIZED:
            raise GovcrawlError(f"node {self.url}: user name or password not accepted")
        return data

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "http+unix":
            return _UnixConnection(parts.path, _SECONDS)
        if parts.scheme == "https" and parts.hostname:
            context = ssl.create_default_context(cafile=self.ca or None)
            return http.client.HTTPSConnection(
                parts.hostname, parts.port or 443, timeout=_SECONDS, context=context
            )
        if parts.scheme == "http" and parts.hostname:
            return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_SECONDS)
        raise GovcrawlError(f"node {self.url}: write http://, https:// or http+unix://")


def _multipart(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[bytes, str]:
    edge = uuid.uuid4().hex
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, data in files.items():
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        parts += [f"{head}Content-Type: application/octet-stream\r\n\r\n".encode(), data, b"\r\n"]
    parts.append(f"--{edge}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={edge}"
