"""A real HTTP server on loopback that serves one file and misbehaves as told, one fault per request."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FaultServer:
    """What the server serves, what it is to do with the next requests, and what it was asked.

    `faults` holds `(kind, n)` pairs, `n` a place in the file or a number of seconds, and is eaten from the front, one
    pair per GET of the file (a chain of redirects counts as one); once it is empty the server does what it should.
    With `forever` the last fault stays.
    """

    data: bytes
    faults: list[tuple[str, float]] = field(default_factory=list)
    forever: bool = False
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    injected: int = 0
    hung_up: int = 0  # clients that closed the connection while the server was dripping
    url: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> tuple[str, float]:
        with self.lock:
            if not self.faults:
                return "nothing", 0
            fault = self.faults[0] if self.forever and len(self.faults) == 1 else self.faults.pop(0)
            self.injected += fault[0] != "nothing"
            return fault

    def gets(self) -> list[dict[str, str]]:
        """The headers of the GET requests for the file."""
        return [headers for method, path, headers in self.requests if method == "GET" and "/hop" not in path]


@contextlib.contextmanager
def serve(data: bytes, faults: list[tuple[str, float]] | None = None, forever: bool = False) -> Iterator[FaultServer]:
    state = FaultServer(data, faults or [], forever)
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield state
    finally:
        state.stopping.set()
        server.shutdown()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up on a stalling server is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FaultServer

    def do_GET(self) -> None:
        self.state.requests.append((self.command, self.path, dict(self.headers)))
        hop = re.search(r"/hop(\d+)", self.path)
        if hop:
            left = int(hop[1])
            return self.redirect(self.path.replace(hop[0], f"/hop{left - 1}") if left else "/after/file")
        if self.path.startswith("/loop"):
            return self.redirect("/loop")
        if self.path.startswith("/slow-hop"):
            self.state.stopping.wait(0.1)
            return self.redirect("/slow-hop")
        kind, n = self.state.next_fault()
        if kind == "nothing" and "/resolve/" in self.path:
            return self.hub()
        getattr(self, f"do_{kind}")(n)

    def log_message(self, *args: Any) -> None:
        pass

    # ------------------------------------------------------------------------------------------------ right answers

    def do_nothing(self, n: float = 0) -> None:
        """The file, or the rest of it that is asked for."""
        data, etag = self.state.data, self.etag()
        start = self.asked()
        if start is None or self.headers.get("If-Range", etag) != etag:
            return self.answer(data)
        if start >= len(data):
            return self.answer(b"", 416, {"Content-Range": f"bytes */{len(data)}"})
        self.answer(data[start:], 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def hub(self) -> None:
        """What the Hugging Face Hub answers to GET of /owner/repo/resolve/revision/path."""
        match = re.fullmatch(r"/owner/toy/resolve/(main|v1)/(sub/)?file\.safetensors", self.path)
        if match:
            return self.answer(self.state.data, headers={"X-Repo-Commit": "c" * 40})
        code = "EntryNotFound" if self.path.startswith("/owner/toy/") else "RepoNotFound"
        self.answer(b"", 404, {"X-Error-Code": code, "X-Error-Message": code, "X-Repo-Commit": "c" * 40})

    def etag(self) -> str:
        return f'"{hash(self.state.data):x}"'

    def asked(self) -> int | None:
        """The place from which the client asks for the file."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else None

    def answer(
        self,
        data: bytes,
        code: int = 200,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        length: int | None = None,
        more: bool = False,
    ) -> None:
        """Announces `data`, sends `body` (default: `data`), and then goes on (`more`) or hangs up if that was less."""
        given = {"ETag": self.etag(), "Content-Length": str(len(data) if length is None else length), **(headers or {})}
        self.send_response(code)
        for name, value in given.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data if body is None else body)
        self.wfile.flush()
        if not more and (body is not None or length is not None):
            self.close_connection = True

    def redirect(self, location: str | None) -> None:
        self.answer(b"", 302, {"Location": location or ""})

    # ------------------------------------------------------------------------------------------------------- faults

    def do_cut(self, n: float) -> None:
        data = self.state.data[self.asked() or 0 :]
        total, start = len(self.state.data), self.asked() or 0
        ranged = {"Content-Range": f"bytes {start}-{total - 1}/{total}"} if start else {}
        self.answer(data, 206 if start else 200, ranged, body=data[: int(n)])

    def do_cut_chunked(self, n: float) -> None:
        piece = self.state.data[: int(n)]
        chunk = b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
        self.answer(b"", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=chunk)

    def do_cut_unannounced(self, n: float) -> None:
        self.answer(b"", headers={"Content-Length": "", "Connection": "close"}, body=self.state.data[: int(n)])

    def do_whole_unannounced(self, n: float) -> None:
        self.answer(b"", headers={"Content-Length": "", "Connection": "close"}, body=self.state.data)

    def do_whole_chunked(self, n: float) -> None:
        parts = (self.state.data[: int(n)], self.state.data[int(n) :], b"")
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in parts if piece) + b"0\r\n\r\n"
        self.answer(b"", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=body)

    def do_reset(self, n: float) -> None:
        self.answer(self.state.data, body=self.state.data[: int(n)])
        self.do_reset_at_once(n)

    def do_reset_at_once(self, n: float) -> None:
        self.close_connection = True
        # Lingering for no time makes the last close() send a reset instead of an end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (self.rfile, self.wfile, self.connection):
            end.close()

    def do_hang_up(self, n: float) -> None:
        self.close_connection = True

    def do_corrupt(self, n: float) -> None:
        data = bytearray(self.state.data)
        data[int(n) % len(data)] ^= 0x40
        self.answer(bytes(data))

    def do_stall(self, n: float) -> None:
        self.answer(self.state.data, body=self.state.data[: int(n)])
        self.state.stopping.wait(3)

    def do_stall_at_once(self, n: float) -> None:
        self.close_connection = True
        self.state.stopping.wait(3)

    def drip(self, *pieces: bytes, pause: float = 0.02, seconds: float = 6.0) -> None:
        """Sends one of the pieces after the other, again and again, until the client hangs up."""
        self.close_connection = True
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.wfile.flush()
        try:
            for i in range(int(seconds / pause)):
                if self.state.stopping.wait(pause):
                    return
                self.wfile.write(pieces[i % len(pieces)])
        except OSError:
            with self.state.lock:
                self.state.hung_up += 1

    def do_drip(self, n: float) -> None:
        self.answer(self.state.data, body=b"")
        self.drip(*(bytes([byte]) for byte in self.state.data[:300]))

    def do_drip_status(self, n: float) -> None:
        self.wfile.write(b"HTTP/1.1 200 ")
        self.drip(b"O")

    def do_drip_header(self, n: float) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Name: ")
        self.drip(b"x")

    def do_drip_headers(self, n: float) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self.drip(b"X-Name: x\r\n", pause=0.05)

    def do_drip_continue(self, n: float) -> None:
        self.drip(b"HTTP/1.1 100 Continue\r\n\r\n")

    def drip_chunks(self, begin: bytes, piece: bytes) -> None:
        self.answer(b"", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=begin)
        self.drip(piece)

    def do_drip_chunks(self, n: float) -> None:
        self.drip_chunks(b"", b"1\r\nx\r\n")

    def do_drip_chunk_size(self, n: float) -> None:
        self.drip_chunks(b"", b"0")

    def do_drip_chunk_extension(self, n: float) -> None:
        self.drip_chunks(b"3e8\r\n%s\r\n3e8;" % self.state.data[:1000], b"x")

    def do_drip_trailer(self, n: float) -> None:
        """All of the file, and then no end."""
        data = self.state.data
        self.drip_chunks(b"%x\r\n%s\r\n0\r\nX-Name: " % (len(data), data), b"x")

    def do_drip_redirects(self, n: float) -> None:
        """Hops that come in time, each for itself."""
        self.redirect("/slow-hop")

    def do_drip_redirect(self, n: float) -> None:
        self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /")
        self.drip(b"x")

    def do_foreign(self, n: float) -> None:
        """What a message may quote of an answer, too long, with control characters and secrets."""
        text = b"\x1b[2J http://user:secret@host/x?key=hidden \xff" + b"long " * 2000
        fields = {1: b"Content-Type", 2: b"Content-Range", 3: b"Location"}
        code = {0: b"418", 1: b"200", 2: b"206", 3: b"302", 4: b"500"}[int(n)]
        given = b"http://user:secret@[\x1b?key=hidden" if n == 3 else text
        field = b"%s: %s\r\n" % (fields[int(n)], given) if n in fields else b""
        self.wfile.write(b"HTTP/1.1 %s %s\r\n%sContent-Length: 3\r\n\r\nabc" % (code, text, field))
        self.close_connection = True

    def do_slow(self, n: float) -> None:
        """Right, but in two halves `n` seconds apart."""
        half = len(self.state.data) // 2
        self.answer(self.state.data, body=self.state.data[:half], more=True)
        time.sleep(n)
        self.wfile.write(self.state.data[half:])

    def do_steady(self, n: float) -> None:
        """Right, but a bit at a time, over `n` seconds in all."""
        self.answer(self.state.data, body=b"", more=True)
        for i in range(12):
            time.sleep(n / 12)
            self.wfile.write(self.state.data[i * len(self.state.data) // 12 : (i + 1) * len(self.state.data) // 12])

    def do_length_too_long(self, n: float) -> None:
        self.answer(self.state.data, length=len(self.state.data) + 1 + int(n))

    def do_length_too_short(self, n: float) -> None:
        self.answer(self.state.data, length=max(0, len(self.state.data) - 1 - int(n)))

    def do_length_nonsense(self, n: float) -> None:
        self.answer(self.state.data, headers={"Content-Length": "many"}, body=self.state.data)

    def do_too_many(self, n: float) -> None:
        self.answer(self.state.data + b"x" * (1 + int(n)))

    def do_too_many_unannounced(self, n: float) -> None:
        body = self.state.data + b"x" * (1 + int(n))
        self.answer(b"", headers={"Content-Length": "", "Connection": "close"}, body=body)

    def do_endless(self, n: float) -> None:
        self.answer(b"", headers={"Content-Length": "", "Connection": "close"}, body=self.state.data)
        while not self.state.stopping.is_set():  # until the client hangs up
            self.wfile.write(b"x" * 65536)

    def do_redirects(self, n: float) -> None:
        with self.state.lock:  # the chain ends at the file, where nothing else is to go wrong
            self.state.faults.insert(0, ("nothing", 0))
        self.redirect(f"/hop{min(int(n) % 7, 6)}/file")

    def do_redirect_endless(self, n: float) -> None:
        with self.state.lock:
            self.state.faults.insert(0, ("nothing", 0))
        self.answer(b"", 302, {"Location": "/hop0/file", "Content-Length": "", "Connection": "close"}, body=b"moved")
        while not self.state.stopping.is_set():  # until the client hangs up
            self.wfile.write(b"x" * 65536)

    def do_redirect_to(self, url: str) -> None:
        self.redirect(url)

    def do_redirect_loop(self, n: float) -> None:
        self.redirect("/loop")

    def do_redirect_nowhere(self, n: float) -> None:
        self.redirect(("file:///etc/passwd", "ftp://127.0.0.1/x", "http://[broken/")[int(n) % 3])

    def do_redirect_refused(self, n: float) -> None:
        self.redirect("http://127.0.0.1:9/file")

    def do_redirect_without_location(self, n: float) -> None:
        self.redirect(None)

    def do_status_204(self, n: float) -> None:
        self.answer(b"", 204)

    def do_status_403(self, n: float) -> None:
        self.answer(b"no", 403)

    def do_status_404(self, n: float) -> None:
        self.answer(b"no", 404)

    def do_status_416(self, n: float) -> None:
        self.answer(b"", 416)

    def do_status_429(self, n: float) -> None:
        self.answer(b"later", 429, {"Retry-After": "0"})

    def do_status_500(self, n: float) -> None:
        self.answer(b"oops", 500)

    def do_status_503(self, n: float) -> None:
        self.answer(b"busy", 503)

    def do_range_ignored(self, n: float) -> None:
        self.answer(self.state.data)

    def do_range_elsewhere(self, n: float) -> None:
        """Another range than the one that was asked for, honestly labelled."""
        start, total = int(n) % len(self.state.data), len(self.state.data)
        self.answer(self.state.data[start:], 206, {"Content-Range": f"bytes {start}-{total - 1}/{total}"})

    def do_range_lie(self, n: float) -> None:
        """The range that was asked for by its label, with bytes from elsewhere."""
        start, total = self.asked() or 0, len(self.state.data)
        body = self.state.data[-1 - start :: -1] if start else self.state.data[::-1]
        self.answer(body[: total - start], 206, {"Content-Range": f"bytes {start}-{total - 1}/{total}"})

    def do_range_unlabelled(self, n: float) -> None:
        self.answer(self.state.data[self.asked() or 0 :], 206)

    def do_other_version_cut(self, n: float) -> None:
        """The beginning of an older version of the file, under its own ETag."""
        old = bytes(byte ^ 1 for byte in self.state.data)
        self.answer(old, headers={"ETag": '"old"'}, body=old[: max(1, int(n))])

    def do_other_version_resumed(self, n: float) -> None:
        """Goes on with an older version although the client named the newer one."""
        old, start = bytes(byte ^ 1 for byte in self.state.data), self.asked() or 0
        labels = {"ETag": '"old"', "Content-Range": f"bytes {start}-{len(old) - 1}/{len(old)}"}
        self.answer(old[start:], 206, labels)

    def do_empty(self, n: float) -> None:
        self.answer(b"")

    def do_html(self, n: float) -> None:
        self.answer(b"<html><body>Sign in to the network</body></html>", headers={"Content-Type": "text/html"})

    def do_json_error(self, n: float) -> None:
        self.answer(json.dumps({"error": "quota"}).encode(), headers={"Content-Type": "application/json"})

    def do_not_http(self, n: float) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        self.close_connection = True

    def do_gzip_label(self, n: float) -> None:
        self.answer(self.state.data[: int(n)], headers={"Content-Encoding": "gzip"})
