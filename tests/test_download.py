"""Where weights come from: a real HTTP server on loopback misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import importlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
from fault_server import FaultServer, serve
from tqdm import tqdm

from ganzoo.zoo import download as gz
from ganzoo.zoo import transfer
from ganzoo.zoo.download import WeightsError, WeightsFile, locate

ROOT = Path(__file__).resolve().parents[1]
DATA = np.random.default_rng(0).bytes(40_000)
FILE = WeightsFile("toy", "file.safetensors", hashlib.sha256(DATA).hexdigest(), len(DATA))
WRONG = DATA[:-1] + bytes([DATA[-1] ^ 1])

pytestmark = pytest.mark.backend_free


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache, no mirror, no bundled copy, no proxy, and no pauses between attempts."""
    for name in ("GANZOO_WEIGHTS", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GANZOO_TIMEOUT", "10")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # reading the machine's certificates takes longer than a fault
    monkeypatch.setattr(transfer, "BACKOFF", 0.001)
    monkeypatch.setattr(gz, "bundled_dir", lambda: tmp_path / "bundled")
    return tmp_path / "home"


def final(home: Path) -> Path:
    return home / "weights" / f"file-{FILE.sha256[:12]}.safetensors"


def check_cache(home: Path) -> None:
    """The final name holds the right file or nothing, and nothing beside it is longer than the card says."""
    for path in (home / "weights").glob("**/*"):
        if path.suffix == ".safetensors":
            assert path.read_bytes() == DATA
        assert path.suffix in (".safetensors", ".part", ".lock"), path
        assert path.stat().st_size <= len(DATA)


def failure(*args, **kwargs) -> str:
    """The message of the error that `locate` must raise."""
    with pytest.raises(WeightsError) as caught:
        locate(FILE, *args, progress=False, **kwargs)
    assert "Received: " in str(caught.value).splitlines()[-1]
    return str(caught.value)


# -------------------------------------------------------------------------------------------------------- local sources


@pytest.mark.parametrize("make", [str, Path], ids=["str", "path"])
def test_a_file_of_any_name_and_a_folder_are_sources(tmp_path, make):
    (tmp_path / "renamed.bin").write_bytes(DATA)
    assert locate(FILE, make(tmp_path / "renamed.bin")) == tmp_path / "renamed.bin"
    (tmp_path / FILE.file).write_bytes(DATA)
    assert locate(FILE, make(tmp_path)) == tmp_path / FILE.file


@pytest.mark.parametrize(
    ("content", "says"),
    [(WRONG, "wrong hash"), (DATA[:-1], "truncated"), (DATA + b"x", "where the card says"), (b"", "truncated")],
)
def test_a_local_file_with_other_content_is_refused(tmp_path, content, says):
    (tmp_path / FILE.file).write_bytes(content)
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / FILE.file).write_bytes(DATA)  # must not stand in for the named source
    assert says in failure(tmp_path) and says in failure(tmp_path / FILE.file)


def test_a_missing_local_source_is_an_error_that_names_the_nearest_file(tmp_path):
    assert "no such file or folder" in failure(tmp_path / "nowhere")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file_.safetensors").write_bytes(DATA)
    message = failure(tmp_path / "full")
    assert "There is no file.safetensors" in message and "file_.safetensors" in message


@pytest.mark.parametrize(
    "source", ["ftp://host/file", "file:///etc/passwd", "s3://bucket/x", "http:///x", "", "hf://owner", "hf://a/b/../c"]
)
def test_an_address_of_an_unknown_kind_is_refused(source):
    with pytest.raises(ValueError, match=r"Received: source="):
        locate(FILE, source)


@pytest.mark.parametrize(
    "file",
    ["../x", "a/b", "/etc/passwd", "..", ".", "", ".hidden", "a\\b", "C:x", "a\0b", "a\n", "x" * 300, "a b", "é"],
)
def test_a_file_name_that_leads_elsewhere_is_refused(file):
    with pytest.raises(ValueError, match="plain file name"):
        WeightsFile("toy", file, "0" * 64, 1)


@pytest.mark.parametrize("fields", [{"sha256": "0" * 63}, {"sha256": "Z" * 64}, {"sha256": "../" * 20}, {"bytes": 0}])
def test_a_digest_or_size_that_cannot_be_is_refused(fields):
    with pytest.raises(ValueError, match="Received"):
        WeightsFile(**{"preset": "toy", "file": "x", "sha256": "0" * 64, "bytes": 1, **fields})


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert gz.sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# ------------------------------------------------------------------------------------------------ the order of sources


def test_without_any_source_the_error_says_in_two_lines_how_to_get_the_weights():
    message = failure()
    assert len(message.splitlines()) == 2
    for word in ("'toy'", "Name a source", "GANZOO_WEIGHTS", "`ganzoo train toy`"):
        assert word in message


def test_the_bundled_copy_is_used_and_verified(tmp_path):
    (tmp_path / "bundled").mkdir()
    bundled = tmp_path / "bundled" / FILE.file
    bundled.write_bytes(DATA)
    assert locate(FILE) == bundled
    bundled.write_bytes(WRONG)
    assert "reinstall ganzoo" in failure()


def test_the_bundled_folder_is_the_project_s_or_the_wheel_s(monkeypatch, tmp_path):
    monkeypatch.undo()
    project = Path(gz.__file__).parents[2]
    assert gz.bundled_dir() in (project / "zoo_configs/weights", project / "ganzoo/zoo_configs/weights")
    monkeypatch.setattr(gz, "__file__", str(tmp_path / "checkout/ganzoo/zoo/download.py"))
    assert gz.bundled_dir() == tmp_path / "checkout/ganzoo/zoo_configs/weights"
    (tmp_path / "checkout/zoo_configs/weights").mkdir(parents=True)
    assert gz.bundled_dir() == tmp_path / "checkout/zoo_configs/weights"
    (tmp_path / "checkout/ganzoo/zoo_configs/weights").mkdir(parents=True)
    assert gz.bundled_dir() == tmp_path / "checkout/ganzoo/zoo_configs/weights"


def test_the_release_address_serves_what_is_not_bundled(monkeypatch, home):
    with serve(DATA) as server:
        monkeypatch.setattr(gz, "RELEASE_URL", server.url + "/v1/")
        assert locate(FILE, progress=False) == final(home)
        assert server.requests[0][1] == "/v1/file.safetensors"


def test_a_mirror_comes_before_the_bundled_copy(monkeypatch, tmp_path, home):
    for folder in ("bundled", "mirror"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / FILE.file).write_bytes(DATA)
    monkeypatch.setenv("GANZOO_WEIGHTS", str(tmp_path / "mirror"))
    assert locate(FILE) == tmp_path / "mirror" / FILE.file
    with serve(DATA) as server:
        monkeypatch.setenv("GANZOO_WEIGHTS", server.url + "/zoo")  # a folder, with or without the slash
        assert locate(FILE, progress=False) == final(home)
        assert [path for _, path, _ in server.requests] == ["/zoo/file.safetensors"]


def test_a_mirror_that_lacks_the_file_is_passed_over(monkeypatch, tmp_path):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("GANZOO_WEIGHTS", str(tmp_path / "mirror"))
    assert "does not hold file.safetensors" in failure()
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / FILE.file).write_bytes(DATA)
    assert locate(FILE) == tmp_path / "bundled" / FILE.file
    with serve(DATA, [("status_404", 0)]) as server:
        monkeypatch.setenv("GANZOO_WEIGHTS", server.url)
        assert locate(FILE, progress=False) == tmp_path / "bundled" / FILE.file


@pytest.mark.parametrize("fault", ["corrupt", "status_500", "status_403", "hang_up", "html"])
def test_a_mirror_that_fails_otherwise_raises_and_is_named(monkeypatch, tmp_path, fault):
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / FILE.file).write_bytes(DATA)
    with serve(DATA, [(fault, 7)], forever=True) as server:
        monkeypatch.setenv("GANZOO_WEIGHTS", server.url)
        assert "GANZOO_WEIGHTS" in failure()
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / FILE.file).write_bytes(WRONG)
    monkeypatch.setenv("GANZOO_WEIGHTS", str(tmp_path / "mirror"))
    assert "GANZOO_WEIGHTS" in failure()
    monkeypatch.setenv("GANZOO_WEIGHTS", str(tmp_path / "nowhere"))
    assert "GANZOO_WEIGHTS" in failure()


# ------------------------------------------------------------------------------------------------------------ the cache


def test_a_verified_copy_in_the_cache_needs_no_network(monkeypatch, home):
    with serve(DATA) as server:
        path = locate(FILE, server.url + "/file.safetensors", progress=False)
        assert path == final(home) and path.read_bytes() == DATA
    assert locate(FILE, server.url + "/file.safetensors", progress=False) == path  # the server is gone
    assert locate(FILE, "hf://owner/repo") == path
    assert locate(FILE) == path


@pytest.mark.parametrize("content", [WRONG, DATA[:100], DATA + b"x", b""])
def test_a_corrupt_cache_file_is_removed_and_fetched_anew(home, content):
    final(home).parent.mkdir(parents=True)
    final(home).write_bytes(content)
    assert "neither bundled" in failure()  # it is not used where nothing can replace it, either
    with serve(DATA) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert len(server.gets()) == 1
    final(home).write_bytes(content)
    assert "Could not fetch" in failure(server.url + "/")
    assert not final(home).exists()


def test_two_versions_of_a_file_live_side_by_side_in_the_cache(home):
    other = WeightsFile("toy", FILE.file, hashlib.sha256(WRONG).hexdigest(), len(WRONG))
    for file, data in ((FILE, DATA), (other, WRONG), (FILE, DATA)):
        with serve(data) as server:
            assert locate(file, server.url + "/", progress=False).read_bytes() == data
    assert server.requests == []  # the third time it was still there


def test_the_cache_is_the_platform_s_without_ganzoo_home(monkeypatch, tmp_path):
    import platformdirs

    monkeypatch.delenv("GANZOO_HOME")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name, **options: str(tmp_path / "platform" / name))
    with serve(DATA) as server:
        assert locate(FILE, server.url + "/", progress=False).parent == tmp_path / "platform/ganzoo/weights"


@contextlib.contextmanager
def someone_else():
    """Gives up root's right to write anywhere, if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_cache_that_cannot_be_written_is_an_error_that_names_ganzoo_home(monkeypatch):
    with tempfile.TemporaryDirectory() as folder, serve(DATA) as server:  # not tmp_path, which others cannot enter
        monkeypatch.setenv("GANZOO_HOME", folder)
        os.chmod(folder, 0o555)
        with someone_else():
            assert "GANZOO_HOME" in failure(server.url + "/") and server.requests == []
        (Path(folder) / "weights").mkdir(mode=0o755)
        os.chmod(Path(folder) / "weights", 0o555)
        with someone_else():
            message = failure(server.url + "/")
        assert "cannot be read and written" in message and "GANZOO_HOME" in message and server.requests == []
        cached = final(Path(folder))
        os.chmod(cached.parent, 0o755)
        cached.write_bytes(DATA)
        os.chmod(cached.parent, 0o555)
        with someone_else():
            assert locate(FILE, server.url + "/") == cached and server.requests == []
        os.chmod(Path(folder) / "weights", 0o755)


def test_a_file_where_the_cache_should_be_is_a_readable_error(home):
    home.write_text("not a folder")
    with serve(DATA) as server:
        assert "GANZOO_HOME" in failure(server.url + "/")


@contextlib.contextmanager
def small_disk(folder: Path):
    """A file system of 16 kB; where none can be mounted, a `.part` on the device that is always full."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0:
        try:
            yield
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        (folder / (final(folder.parent).name + ".part")).symlink_to("/dev/full")
        yield


def test_a_full_disk_is_a_readable_error_and_leaves_no_piece(home):
    with serve(DATA) as server, small_disk(home / "weights"):
        message = failure(server.url + "/")
        assert "disk is full" in message and "GANZOO_HOME" in message
        assert [path.suffix for path in (home / "weights").iterdir()] in ([], [".lock"])
    with serve(DATA) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA


def test_the_device_that_is_always_full(home):
    (home / "weights").mkdir(parents=True)
    Path(f"{final(home)}.part").symlink_to("/dev/full")
    with serve(DATA) as server:
        assert "disk is full" in failure(server.url + "/")
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA


def test_a_quota_that_is_used_up_counts_as_a_full_disk(monkeypatch):
    def replace(source, target):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "replace", replace)
    with serve(DATA) as server:
        assert "disk is full" in failure(server.url + "/")


# -------------------------------------------------------------------------------------------------------- over the wire


def test_addresses_of_files_and_of_folders(home):
    for path, asked in (("/x/other.bin", "/x/other.bin"), ("/x/", "/x/file.safetensors"), ("", "/file.safetensors")):
        with serve(DATA) as server:
            assert locate(FILE, server.url + path, progress=False) == final(home)
            assert server.requests[0][1] == asked
        final(home).unlink()
    with serve(DATA) as server:
        source = server.url.replace("//", "//user:secret@") + "/x/?key=hidden"
        assert locate(FILE, source.replace("http:", "HTTP:"), progress=False) == final(home)
        assert server.requests[0][1] == "/x/file.safetensors?key=hidden"
    final(home).unlink()
    message = failure(source)
    assert "127.0.0.1" in message and "secret" not in message and "hidden" not in message


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("status_404", "there is no such file"),
        ("status_403", "access is refused"),
        ("status_500", "Gave up after 5 attempts: The server answered 500"),
        ("status_204", "answered 204"),
        ("corrupt", "wrong hash"),
        ("html", "text/html"),
        ("empty", "offers 0 bytes"),
        ("too_many_unannounced", "more than the 40000 bytes"),
        ("endless", "more than the 40000 bytes"),
        ("redirect_loop", "redirects more than"),
        ("redirect_nowhere", "cannot be used"),
        ("redirect_without_location", "answered 302"),
        ("stall", "did not answer in time"),
        ("drip", "did not answer in time"),
        ("hang_up", "Server disconnected"),
        ("reset_at_once", "connection was reset"),
        ("cut_unannounced", "cut after 900 of 40000 bytes"),
        ("not_http", "connection failed"),
    ],
)
def test_a_server_that_always_fails_gives_an_error_that_says_how(monkeypatch, home, fault, says):
    if fault in STALLING:
        monkeypatch.setenv("GANZOO_TIMEOUT", "0.15")
    since = time.monotonic()
    with serve(DATA, [(fault, 900)], forever=True) as server:
        message = failure(server.url + "/")
        assert says in message and server.url in message and "GANZOO_WEIGHTS" in message
        assert server.injected == (1 if fault in FATAL else 2 if fault in MENDED_ONCE else transfer.ATTEMPTS)
    assert time.monotonic() - since < 15
    check_cache(home)
    assert not final(home).exists()


DRIPPING = [
    *("drip", "drip_status", "drip_header", "drip_headers", "drip_continue", "drip_redirect", "drip_redirects"),
    *("drip_chunks", "drip_chunk_size", "drip_chunk_extension"),
]


def check_unlocked(home: Path) -> None:
    from filelock import FileLock

    with FileLock(f"{final(home)}.lock", timeout=0):
        pass


@pytest.mark.parametrize("fault", DRIPPING)
def test_a_server_that_drips_is_given_up_in_time(monkeypatch, home, fault):
    monkeypatch.setenv("GANZOO_TIMEOUT", "0.3")
    monkeypatch.setattr(transfer, "ATTEMPTS", 2)
    since = time.monotonic()
    with serve(DATA, [(fault, 0)], forever=True) as server:
        assert "Gave up after 2 attempts" in failure(server.url + "/")
        assert time.monotonic() - since < 2
        check_unlocked(home)
        while fault != "drip_redirects" and server.hung_up < 2:  # nothing goes on behind the caller's back
            assert time.monotonic() - since < 3
            time.sleep(0.01)
        server.faults = []
        monkeypatch.setenv("GANZOO_TIMEOUT", "10")
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA


def test_a_file_that_is_whole_needs_no_end(monkeypatch, home):
    monkeypatch.setenv("GANZOO_TIMEOUT", "0.3")
    since = time.monotonic()
    with serve(DATA, [("drip_trailer", 0)]) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert len(server.gets()) == 1
    assert time.monotonic() - since < 2


def test_a_slow_server_is_waited_for_as_long_as_it_goes_on(monkeypatch, home):
    monkeypatch.setenv("GANZOO_TIMEOUT", "0.4")
    with serve(DATA, [("steady", 1.2)]) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert len(server.gets()) == 1


@contextlib.contextmanager
def raw_server(answer):
    """Runs `answer(connection)` on what connects; `answer` may raise OSError when the client hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection):
            with contextlib.suppress(OSError), connection:
                answer(connection)

        threading.Thread(target=work, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_handshake_that_drips_is_given_up_in_time(monkeypatch, home):
    def answer(connection):
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # begins a long ServerHello
        for _ in range(150):
            connection.sendall(b"\x03")
            time.sleep(0.02)

    monkeypatch.setenv("GANZOO_TIMEOUT", "0.3")
    monkeypatch.setattr(transfer, "ATTEMPTS", 2)
    since = time.monotonic()
    with raw_server(answer) as address:
        assert "did not answer in time" in failure(f"https://{address}/")
    assert time.monotonic() - since < 2
    check_unlocked(home)


def test_names_and_addresses_that_do_not_answer_are_given_up_in_time(monkeypatch, home):
    monkeypatch.setenv("GANZOO_TIMEOUT", "0.3")
    monkeypatch.setattr(transfer, "ATTEMPTS", 2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        for _ in range(3):  # no more connections are accepted
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        many = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", full.getsockname())] * 10
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: many)
        since = time.monotonic()
        assert "did not answer in time" in failure(f"http://weights.invalid:{full.getsockname()[1]}/")
        assert time.monotonic() - since < 2
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(3))
    since = time.monotonic()
    assert "did not answer in time" in failure("http://weights.invalid/")
    assert time.monotonic() - since < 2
    check_unlocked(home)


@pytest.mark.parametrize("place", range(5), ids=["reason", "type", "range", "location", "reason of 500"])
def test_what_a_server_says_is_quoted_short_printable_and_without_secrets(place):
    with serve(DATA, [("foreign", place)], forever=True) as server:
        message = failure(server.url + "/")
    assert message.isprintable() and len(message) < 700
    assert "secret" not in message and "hidden" not in message


def test_a_refused_connection_and_an_unknown_host(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "connection was refused" in failure(f"http://127.0.0.1:{port}/")
    two = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (f"127.0.0.{i}", port)) for i in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: two)
    assert "connection was refused" in failure(f"http://weights.invalid:{port}/")

    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host name was not found (DNS)" in failure("http://weights.invalid/")


def test_a_server_without_a_right_certificate():
    with serve(DATA) as server:  # plain HTTP where TLS is expected
        message = failure(server.url.replace("http:", "https:") + "/")
    assert "No secure connection" in message and "certificates" in message


@pytest.mark.parametrize("proxy", ["socks5://user:secret@127.0.0.1:9", "gopher://user:secret@127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_a_readable_error(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    message = failure("http://weights.invalid/")
    assert "proxy" in message and "secret" not in message


def test_a_proxy_is_used(monkeypatch, home):
    with serve(DATA) as server:
        monkeypatch.setenv("http_proxy", server.url)
        assert locate(FILE, "http://weights.invalid/x/", progress=False) == final(home)
        assert server.requests[0][1] == "http://weights.invalid/x/file.safetensors"


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf", "1e300"])
def test_a_timeout_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("GANZOO_TIMEOUT", text)
    with pytest.raises(ValueError, match="GANZOO_TIMEOUT is a number"):
        locate(FILE, "http://127.0.0.1:9/")


def test_a_cut_download_is_resumed_where_it_stopped(home):
    with serve(DATA, [("cut", 1000), ("cut", 2000)]) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert [headers.get("Range") for headers in server.gets()] == [None, "bytes=1000-", "bytes=3000-"]


def test_what_has_arrived_is_kept_for_the_next_call(home):
    with serve(DATA, [("cut", 100)] * 5) as server:
        assert "500 of 40000 bytes are kept" in failure(server.url + "/")
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert server.gets()[-1]["Range"] == "bytes=500-"


@pytest.mark.parametrize("left", [DATA[:5000], WRONG[-5000:], DATA, WRONG, DATA + b"more"], ids=lambda left: len(left))
def test_a_piece_from_an_earlier_call_never_spoils_the_file(home, left):
    (home / "weights").mkdir(parents=True)
    Path(f"{final(home)}.part").write_bytes(left)
    with serve(DATA) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert len(server.gets()) == {DATA[:5000]: 1, DATA: 0}.get(left, 2 if len(left) < len(DATA) else 1)


def test_a_file_that_changes_on_the_server_is_restarted():
    for then in ("nothing", "other_version_resumed"):
        with serve(DATA, [("other_version_cut" if then == "nothing" else "cut", 3000), (then, 0)]) as server:
            assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("other_version_resumed", "wrong hash"),
        ("range_elsewhere", "answered the range wrongly"),
        ("range_unlabelled", "answered the range wrongly"),
        ("range_lie", "wrong hash"),
        ("status_416", "answered 416"),
    ],
)
def test_a_range_answered_wrongly_twice_is_an_error_that_says_how(fault, says):
    with serve(DATA, [("cut", 3000), (fault, 7), ("cut", 3000), (fault, 7)]) as server:
        assert says in failure(server.url + "/")
        assert len(server.gets()) == 4
        assert server.gets()[2].get("Range") is None  # from the start, after the first


def download(part: Path) -> transfer.Download:
    return transfer.Download("http://127.0.0.1/", "http://127.0.0.1/", {}, part, FILE)


def test_never_more_than_the_card_s_bytes_are_written(tmp_path):
    async def blocks():
        for block in (DATA[:30_000], DATA[30_000:] + b"more", b"and more"):
            yield block

    async def receive():
        async with asyncio.timeout(10) as clock:
            await fetch.receive(httpx2.Response(200, content=blocks()), clock)

    fetch = download(tmp_path / "part")
    fetch.bar = tqdm(disable=True)
    with pytest.raises(transfer.Wrong, match="more than the 40000 bytes"):
        asyncio.run(receive())
    assert (tmp_path / "part").read_bytes() == DATA


def test_the_server_s_wish_for_a_pause_is_kept_within_bounds(monkeypatch):
    for wish, pause in (("7", 7), ("9999", 30), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("-1", None)):
        with pytest.raises(transfer.Again) as caught:
            download(Path("x")).check(httpx2.Response(503, headers={"Retry-After": wish}))
        assert caught.value.delay == pause
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    async def busy(client):
        raise transfer.Again("busy")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(transfer, "BACKOFF", 1.0)
    fetch = download(Path("x"))
    fetch.attempt = busy
    with pytest.raises(WeightsError):
        fetch.run(progress=False)
    assert pauses == [1, 2, 4, 8]


def test_the_progress_bar_goes_to_standard_error_and_can_be_silenced(home, capsys):
    with serve(DATA, [("cut", 9000)]) as server:
        locate(FILE, server.url + "/")
        out, err = capsys.readouterr()
        assert out == "" and "file.safetensors" in err and "40.0k/40.0k" in err
        final(home).unlink()
        locate(FILE, server.url + "/", progress=False)
    assert capsys.readouterr() == ("", "")


HARMLESS = ["whole_unannounced", "whole_chunked", "redirects", "redirect_endless", "range_ignored", "length_nonsense"]
MENDED_BY_TRYING = [
    *("cut", "cut_chunked", "cut_unannounced", "reset", "reset_at_once", "hang_up", "stall", "stall_at_once", "drip"),
    *("status_429", "status_500", "status_503", "redirect_refused", "not_http"),
]
MENDED_ONCE = [
    *("corrupt", "length_too_long", "length_too_short", "too_many", "too_many_unannounced", "endless", "empty", "html"),
    *("json_error", "gzip_label", "status_416", "range_elsewhere", "range_lie", "range_unlabelled"),
    *("other_version_cut", "other_version_resumed"),
]
FATAL = ["redirect_loop", "redirect_nowhere", "redirect_without_location", "status_204", "status_403", "status_404"]
STALLING = ["stall", "stall_at_once", "drip"]
KINDS = HARMLESS + MENDED_BY_TRYING + MENDED_ONCE + FATAL


def expected(kinds: list[str]) -> str:
    """What must come of a sequence of faults with a healthy server behind it."""
    if kinds[0] in FATAL and not any(kind in STALLING for kind in kinds):
        return "error"
    many = sum(kind in MENDED_ONCE for kind in kinds) > 1
    return "either" if many or any(kind in FATAL for kind in kinds) else "file"


def try_faults(server: FaultServer, home: Path, faults: list[tuple[str, float]], monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_HOME", str(home))
    # Short only where something stalls: on a busy machine a short timeout cuts off right answers too.
    monkeypatch.setenv("GANZOO_TIMEOUT", "0.2" if any(kind in STALLING for kind, _ in faults) else "10")
    server.faults = list(faults)
    try:
        outcome = "file"
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
    except WeightsError as error:
        outcome = "error"
        assert "Received: source=" in str(error) and not final(home).exists()
    check_cache(home)
    assert expected([kind for kind, _ in faults]) in (outcome, "either"), (faults, outcome)
    server.faults = []  # whatever was left behind, the next call to a healthy server brings the file
    monkeypatch.setenv("GANZOO_TIMEOUT", "10")
    assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
    check_cache(home)


def test_hundreds_of_faults_never_leave_a_wrong_file(monkeypatch, tmp_path):
    monkeypatch.setattr(
        transfer, "ATTEMPTS", 8
    )  # more than the faults of one trial, for a busy machine may time out besides
    draw = random.Random(20140610)
    trials = [[kind] for kind in KINDS]
    trials += [draw.choices(KINDS[:-6] * 4 + FATAL, k=draw.randint(2, 4)) for _ in range(100)]
    with serve(DATA) as server:
        for number, kinds in enumerate(trials):
            faults = [(kind, draw.choice((0, 1, 100, 9_999, 39_999, draw.randrange(len(DATA))))) for kind in kinds]
            try_faults(server, tmp_path / f"home{number}", faults, monkeypatch)
        assert server.injected >= 200, server.injected


# ------------------------------------------------------------------------------------------------------ many processes

CHILD = """
import sys
from ganzoo.zoo import download
file = download.WeightsFile("toy", "file.safetensors", sys.argv[1], int(sys.argv[2]))
print(download.locate(file, sys.argv[3], progress=False), end="")
assert not {"keras", "numpy"} & sys.modules.keys()
"""


def child(source: str, code: str = CHILD, **env: str) -> subprocess.Popen:
    """Another process that locates the file; that needs no Keras."""
    command = [sys.executable, "-c", code, FILE.sha256, str(FILE.bytes), source]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT), "GANZOO_TIMEOUT": "20", **env}, **pipes
    )


def test_processes_at_once_download_once(home):
    with serve(DATA, [("slow", 2.0)]) as server:
        children = [child(server.url + "/") for _ in range(3)]
        results = [process.communicate(timeout=30) for process in children]
        assert [out for out, _ in results] == [str(final(home))] * 3, results
        assert len(server.gets()) == 1
    waited = [err for _, err in results if "waiting for another process that downloads file.safetensors" in err]
    assert len(waited) >= 1
    check_cache(home)


def test_after_a_killed_download_the_next_one_goes_on(home):
    part = Path(f"{final(home)}.part")
    with serve(DATA, [("stall", 30_000)]) as server:
        process = child(server.url + "/")
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert part.stat().st_size == 30_000 and not final(home).exists()
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA
        assert server.gets()[-1]["Range"] == "bytes=30000-"
    check_cache(home)


def test_an_interrupt_ends_a_download_at_once(home):
    part = Path(f"{final(home)}.part")
    with serve(DATA, [("stall", 30_000)]) as server:
        # A shell's background processes are told to ignore interrupts, and so is what they start.
        heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        process = child(server.url + "/", heard + CHILD)
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert errors.rstrip().endswith("KeyboardInterrupt") and "never retrieved" not in errors
        assert part.stat().st_size == 30_000 and not final(home).exists()
    check_unlocked(home)


def test_a_loop_that_runs_already_and_a_fork_do_not_matter(home):
    code = f"""
import asyncio, os
{CHILD.replace("import sys", "import sys, shutil")}
async def notebook():
    shutil.rmtree(os.environ["GANZOO_HOME"])
    print(download.locate(file, sys.argv[3], progress=False), end="")
asyncio.run(notebook())
forked = os.fork()
if not forked:
    asyncio.run(notebook())
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(forked, 0)[1] == 0
"""
    with serve(DATA) as server:
        process = child(server.url + "/", code=code)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0 and len(server.gets()) == 3, (out, err)


def test_a_lock_file_that_was_left_behind_does_not_block(home):
    (home / "weights").mkdir(parents=True)
    Path(f"{final(home)}.lock").write_text("999999\n")
    with serve(DATA) as server:
        assert locate(FILE, server.url + "/", progress=False).read_bytes() == DATA


def test_waiting_for_a_lock_is_announced_and_ends(monkeypatch, home, capsys):
    from filelock import FileLock

    monkeypatch.setattr(gz, "LOCK_TIMEOUT", 0.2)
    (home / "weights").mkdir(parents=True)
    with FileLock(f"{final(home)}.lock"), serve(DATA) as server:
        message = failure(server.url + "/")
        assert "Another process has been downloading file.safetensors" in message and "end it" in message
        assert "waiting for another process that downloads file.safetensors" in capsys.readouterr().err
        assert server.requests == []


# ---------------------------------------------------------------------------------------------------- Hugging Face Hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A server that answers like the Hub, where huggingface_hub looks for it."""
    constants = pytest.importorskip("huggingface_hub.constants")
    importlib.import_module("huggingface_hub.utils").build_hf_headers()  # takes its time when first called
    with serve(DATA) as server:
        at(server.url, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def at(url: str, monkeypatch) -> None:
    """Does in this process what HF_ENDPOINT does in one that has not imported huggingface_hub yet."""
    import huggingface_hub.constants as constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", url)


def test_hf_addresses_are_those_of_huggingface_hub(home, tmp_path):
    pytest.importorskip("huggingface_hub")
    with serve(DATA) as server:
        process = child("hf://owner/toy", HF_ENDPOINT=server.url, HF_HOME=str(tmp_path / "hf"))
        out, err = process.communicate(timeout=60)
    assert out == str(final(home)), err
    asked = {(method, path) for method, path, _ in server.requests if "/resolve/" in path}
    assert asked == {("GET", "/owner/toy/resolve/main/file.safetensors")}
    check_cache(home)


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("hf://owner/toy/", "main/file.safetensors"),
        ("hf://owner/toy@v1", "v1/file.safetensors"),
        ("hf://owner/toy@v1/sub/", "v1/sub/file.safetensors"),
        ("hf://owner/toy/sub/file.safetensors", "main/sub/file.safetensors"),
    ],
)
def test_hf_revisions_and_paths(hub, home, source, asked, capfd):
    assert locate(FILE, source, progress=False) == final(home)
    assert capfd.readouterr() == ("", "")
    assert hub.requests[-1][1] == "/owner/toy/resolve/" + asked
    check_cache(home)


def test_a_mirror_on_the_hub(hub, home, monkeypatch):
    monkeypatch.setenv("GANZOO_WEIGHTS", "hf://owner/toy/sub")
    assert locate(FILE, progress=False) == final(home)
    final(home).unlink()
    monkeypatch.setenv("GANZOO_WEIGHTS", "hf://owner/toy/other")
    assert "does not hold file.safetensors" in failure()
    monkeypatch.setenv("GANZOO_WEIGHTS", "hf://owner/none")
    assert "The mirror that GANZOO_WEIGHTS names fails" in failure()


@pytest.mark.parametrize(
    ("source", "data", "says"),
    [
        ("hf://owner/toy/none.bin", DATA, "EntryNotFound"),
        ("hf://owner/none", DATA, "404 RepoNotFound"),
        ("hf://owner/toy", WRONG, "wrong hash"),
        ("hf://owner/toy", DATA[:-1], "offers 39999 bytes"),
        ("hf://owner/toy", DATA + b"x", "offers 40001 bytes"),
    ],
)
def test_what_the_hub_does_not_hold_is_a_readable_error(hub, home, source, data, says):
    hub.data = data
    message = failure(source)
    assert says in message and f"source='{source}" in message
    assert [path.suffix for path in (home / "weights").iterdir()] in ([], [".lock"])


def test_a_hub_that_cannot_be_reached_is_a_readable_error(hub, monkeypatch):
    at("http://127.0.0.1:9", monkeypatch)
    assert "connection was refused" in failure("hf://owner/toy")


@pytest.mark.parametrize("fault", ["drip_header", "drip_chunk_size", "endless", "cut", "status_503"])
def test_what_goes_wrong_on_the_hub_is_mended_as_elsewhere(hub, home, monkeypatch, fault):
    monkeypatch.setenv("GANZOO_TIMEOUT", "0.5")
    hub.faults = [(fault, 900)]
    since = time.monotonic()
    assert locate(FILE, "hf://owner/toy", progress=False) == final(home)
    assert hub.injected == 1 and time.monotonic() - since < 4


def test_the_token_of_the_hub_goes_to_the_hub_only(hub, home, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve(DATA) as storage:
        hub.faults = [("redirect_to", storage.url + "/file")]
        assert locate(FILE, "hf://owner/toy", progress=False) == final(home)
    (asked,), (stored,) = hub.gets(), storage.gets()
    assert asked["authorization"] == "Bearer hf_secret" and "authorization" not in {name.lower() for name in stored}


def test_hf_addresses_without_huggingface_hub(hub, home, monkeypatch):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "huggingface_hub", None)
        assert "pip install 'keras-ganzoo[hub]'" in failure("hf://owner/toy")
    locate(FILE, "hf://owner/toy", progress=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert locate(FILE, "hf://owner/toy") == final(home)  # what is in the cache needs neither


def test_hf_addresses_where_the_hub_is_forbidden(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in failure("hf://owner/toy")
    assert hub.requests == []
