"""The transfer of one file of weights over HTTP, until what has arrived is the file that was described."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

if TYPE_CHECKING:
    import requests

__all__ = ["Again", "Download", "Missing", "WeightsError", "WeightsFile", "Wrong", "mismatch", "sha256", "shown"]

ATTEMPTS = 5  # requests for one file before giving up
BACKOFF = 0.5  # seconds before the second attempt, doubled each time
MAX_REDIRECTS = 10
MIN_BYTES = 1024  # a connection that brings less within one timeout has stalled, however steadily it drips


class WeightsError(RuntimeError):
    """Weights could not be found, fetched, verified, written or read; the message names the fix."""


class Missing(WeightsError):
    """The source answered, and does not hold the file."""


class Again(Exception):
    """An attempt failed in a way that another may mend, after `delay` seconds if the server named them."""

    def __init__(self, problem: str, delay: float | None = None):
        super().__init__(problem)
        self.delay = delay


class Wrong(Again):
    """What arrived is not the file: it is thrown away, and one more try from the first byte is worth making."""


@dataclass(frozen=True)
class WeightsFile:
    """The one file that a preset's card is bound to.

    Args:
        preset: Name of the preset, for messages.
        file: Plain file name without folders.
        sha256: Digest of the content, 64 lower-case hexadecimal digits.
        bytes: Size of the content.

    Raises:
        ValueError: If a field cannot be what it should be, such as a file name that leads out of its folder.
    """

    preset: str
    file: str
    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}", self.file):
            raise ValueError(f"`file` must be a plain file name without folders. Received: file={self.file!r}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"`sha256` must be 64 lower-case hexadecimal digits. Received: sha256={self.sha256!r}")
        if self.bytes <= 0:
            raise ValueError(f"`bytes` must be positive. Received: bytes={self.bytes!r}")


def sha256(path: str | os.PathLike[str]) -> str:
    """Returns the sha256 of a file's content, 64 lower-case hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mismatch(path: Path, weights: WeightsFile) -> str | None:
    """Says why the file is not the one that the card describes; None if it is."""
    size = path.stat().st_size
    if size < weights.bytes:
        return f"{path.name} is truncated, it has {size} bytes of {weights.bytes}"
    if size > weights.bytes:
        return f"{path.name} has {size} bytes where the card says {weights.bytes}"
    found = sha256(path)
    if found != weights.sha256:
        return f"wrong hash, {path.name} has sha256 {found} where the card says {weights.sha256}"
    return None


def shown(url: str) -> str:
    """The address without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _timeout() -> float:
    text = os.environ.get("GANZOO_TIMEOUT") or "20"
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 86400:
            return float(text)
    raise ValueError(f"GANZOO_TIMEOUT is a number of seconds, at most a day. Received: GANZOO_TIMEOUT={text!r}")


def _public(error: Exception) -> str:
    """What requests says of an address, without user, password and query."""
    return re.sub(r"\?[^\s'\"]*", "", re.sub(r"//[^\s/'\"]*@", "//", str(error)))


class Download:
    """The transfer of one file into `part`, in as many attempts as it takes up to `ATTEMPTS`."""

    def __init__(self, url: str, part: Path, weights: WeightsFile):
        self.url, self.part, self.weights = url, part, weights
        self.etag: str | None = None  # of the file that the bytes in `part` are from, as far as this process knows
        self.timeout = _timeout()

    def run(self, progress: bool) -> None:
        import requests

        wrong = 0
        with requests.Session() as session, _bar(self.weights, progress) as update:
            # Redirects are followed in `request`: requests would read the body of each, however long.
            session.get_redirect_target = lambda response: None  # type: ignore
            session.headers.update({"User-Agent": "ganzoo", "Accept-Encoding": "identity"})
            for attempt in range(ATTEMPTS):
                try:
                    return self.attempt(session, update)
                except Again as error:
                    problem, delay = str(error), error.delay
                    if isinstance(error, Wrong):
                        self.part.unlink(missing_ok=True)
                        wrong += 1
                if wrong == 2:
                    raise WeightsError(self.message(f"This is not the file: {problem}", "Check the address"))
                if attempt + 1 < ATTEMPTS:
                    time.sleep(BACKOFF * 2**attempt if delay is None else delay)
        have = self.have()
        kept = f" ({have} of {self.weights.bytes} bytes are kept, the next call goes on from there)" if have else ""
        fix = "Check the address and the network and try again"
        raise WeightsError(self.message(f"Gave up after {ATTEMPTS} attempts: {problem}{kept}", fix))

    def attempt(self, session: requests.Session, update: Callable[[int], None]) -> None:
        """One request for what `part` lacks; returns when `part` is the verified file."""
        if self.have() < self.weights.bytes:
            with self.request(session) as response:
                self.check_status(response)
                start = self.start(response)
                self.etag = response.headers.get("ETag")
                self.receive(response, start, update)
        problem = mismatch(self.part, self.weights)
        if problem:
            raise Wrong(problem)

    def request(self, session: requests.Session) -> requests.Response:
        import requests

        headers = {}
        if have := self.have():
            headers["Range"] = f"bytes={have}-"
            if self.etag and not self.etag.startswith("W/"):
                headers["If-Range"] = self.etag
        url = self.url
        try:
            for _ in range(MAX_REDIRECTS + 1):
                response = session.get(url, headers=headers, stream=True, timeout=self.timeout)
                target = requests.Session.get_redirect_target(session, response)
                if target is None:
                    return response
                response.close()
                url = urljoin(response.url, target)
        except requests.exceptions.SSLError as error:
            problem = f"No secure connection: {_reason(error)}"
            raise WeightsError(self.message(problem, "Check the address and the machine's certificates")) from error
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Again(_reason(error)) from error
        except (requests.RequestException, ValueError) as error:  # a redirect to something that is no address
            raise WeightsError(self.message(f"The address cannot be used: {_public(error)}", "Check it")) from error
        problem = f"The server redirects more than {MAX_REDIRECTS} times"
        raise WeightsError(self.message(problem, "Check the address"))

    def check_status(self, response: requests.Response) -> None:
        code = response.status_code
        answer = f"The server answered {code} {response.reason}"
        if code in (200, 206):
            return
        if code in (408, 425, 429) or code >= 500:
            wait = response.headers.get("Retry-After", "")
            raise Again(answer, min(float(wait[:9]), 30.0) if wait.isdecimal() else None)
        if code == 416:
            raise Wrong(answer)
        if code in (404, 410):
            raise Missing(self.message(f"{answer}: there is no such file", "Check the address"))
        if code in (401, 403, 407):
            raise WeightsError(self.message(f"{answer}: access is refused", "Check the address and your access"))
        raise WeightsError(self.message(answer, "Check the address"))

    def start(self, response: requests.Response) -> int:
        """The place in the file where the answer's body begins. Only a 206 that fits what is there continues it."""
        if response.status_code == 206:
            given = response.headers.get("Content-Range", "")
            match = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", given.strip())
            if not match or int(match[1]) != self.have() or match[2] not in ("*", str(self.weights.bytes)):
                raise Wrong(f"the server answered the range wrongly, with Content-Range {given!r}")
            if self.etag and response.headers.get("ETag") != self.etag:
                raise Wrong("the file changed on the server during the download")
            return int(match[1])
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and length.lstrip("0") != str(self.weights.bytes):
            kind = response.headers.get("Content-Type", "unknown")
            raise Wrong(f"the server offers {length} bytes of type {kind} where the card says {self.weights.bytes}")
        return 0

    def receive(self, response: requests.Response, start: int, update: Callable[[int], None]) -> None:
        done = start
        with self.part.open("ab" if start else "wb") as file:
            for data in self.chunks(response):
                room = self.weights.bytes - done
                file.write(data[:room])
                if len(data) > room:
                    raise Wrong(f"the server sends more than the {self.weights.bytes} bytes that the card says")
                done += len(data)
                update(done)
        if done < self.weights.bytes:
            raise Again(f"the connection was cut after {done} of {self.weights.bytes} bytes")

    def chunks(self, response: requests.Response) -> Iterator[bytes]:
        import urllib3

        since, got = time.monotonic(), 0
        while True:
            try:
                # read1, for read would wait for the whole block on a connection that drips
                data = response.raw.read1(1 << 16, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise Again(_reason(error)) from error
            if not data:
                return
            yield data
            got += len(data)
            if (now := time.monotonic()) - since > self.timeout:
                if got < MIN_BYTES:
                    raise Again(f"the connection stalled, {got} bytes came in {self.timeout:g} s")
                since, got = now, 0

    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def message(self, problem: str, fix: str) -> str:
        other = "name another source, or set GANZOO_WEIGHTS to a mirror"
        return f"Could not fetch {self.weights.file}. {problem}. {fix}, {other}. Received: source={shown(self.url)!r}"


def _reason(error: BaseException) -> str:
    """What went wrong on the wire, found by walking down the libraries' layers of exceptions."""
    kinds: dict[type[BaseException], str] = {
        socket.gaierror: "the host name was not found (DNS)",
        ConnectionRefusedError: "the connection was refused",
        ConnectionResetError: "the connection was reset",
        TimeoutError: "the server did not answer in time",
    }
    layer: BaseException | None = error
    while layer is not None:
        for kind, text in kinds.items():
            if isinstance(layer, kind):
                return text
        error, layer = layer, layer.__cause__ or layer.__context__
    return f"the connection failed ({type(error).__name__}: {error})"


@contextlib.contextmanager
def _bar(weights: WeightsFile, progress: bool) -> Iterator[Callable[[int], None]]:
    """Yields a function of the number of bytes that have arrived."""
    if not progress:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(weights.file, total=weights.bytes)
        yield lambda done: bar.update(task, completed=done)
