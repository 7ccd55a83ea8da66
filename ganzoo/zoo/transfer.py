"""The transfer of one file of weights over HTTP, until what has arrived is the file that was described."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

__all__ = ["Again", "Download", "Missing", "WeightsError", "WeightsFile", "Wrong", "mismatch", "sha256", "shown"]

ATTEMPTS = 5  # requests for one file before giving up
BACKOFF = 0.5  # seconds before the second attempt, doubled each time
MAX_REDIRECTS = 10
MIN_BYTES = 1024  # a server that brings less within one timeout has stalled, however steadily it drips
REASONS: dict[type[BaseException], str] = {
    socket.gaierror: "the host name was not found (DNS)",
    ConnectionRefusedError: "the connection was refused",
    ConnectionResetError: "the connection was reset",
}


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


def shown(text: str) -> str:
    """What others wrote, for a message: printable, not long, without user, password and query of an address."""
    text = re.sub(r"\?[^\s'\"]*", "", re.sub(r"//[^\s/'\"]*@", "//", text))
    return "".join(letter if letter.isprintable() else " " for letter in text)[:400]


def _timeout() -> float:
    text = os.environ.get("GANZOO_TIMEOUT") or "20"
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 86400:
            return float(text)
    raise ValueError(f"GANZOO_TIMEOUT is a number of seconds, at most a day. Received: GANZOO_TIMEOUT={text!r}")


@functools.cache
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """A loop in a thread of its own, for the caller may be inside one, as in a notebook. A fork needs another."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="ganzoo-download", daemon=True).start()
    return loop


class Download:
    """The transfer of one file into `part`, in as many attempts as it takes up to `ATTEMPTS`.

    One clock runs for all of an attempt: `GANZOO_TIMEOUT` seconds from looking up the host's name, through all
    redirects, to the first `MIN_BYTES` of the file, and as many for each further `MIN_BYTES`.
    """

    def __init__(self, source: str, url: str, headers: dict[str, str], part: Path, weights: WeightsFile):
        self.source, self.url, self.part, self.weights = source, url, part, weights
        self.headers = {"User-Agent": "ganzoo", "Accept-Encoding": "identity", **headers}
        self.timeout = _timeout()

    def run(self, progress: bool) -> None:
        from tqdm import tqdm

        options = {"desc": self.weights.file, "unit": "B", "unit_scale": True, "disable": not progress}
        with tqdm(total=self.weights.bytes, **options) as self.bar:
            work = asyncio.run_coroutine_threadsafe(self.attempts(), _loop(os.getpid()))
            try:
                while not work.done():
                    concurrent.futures.wait([work], timeout=1)  # on Windows, nothing interrupts a wait without end
                work.result()
            finally:
                work.cancel()  # if the caller was interrupted

    async def attempts(self) -> None:
        import httpx2

        wrong = 0
        try:
            async with httpx2.AsyncClient(headers=self.headers, timeout=None) as client:
                for attempt in range(ATTEMPTS):
                    try:
                        return await self.attempt(client)
                    except Again as error:
                        problem, delay = str(error), error.delay
                        if isinstance(error, Wrong):
                            self.part.unlink(missing_ok=True)
                            wrong += 1
                    if wrong == 2:
                        raise self.error(f"This is not the file: {problem}")
                    if attempt + 1 < ATTEMPTS:
                        await asyncio.sleep(BACKOFF * 2**attempt if delay is None else delay)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, ImportError, ValueError) as error:
            raise self.error(f"The address, or that of the proxy, cannot be used: {error}") from error
        have = self.have()
        kept = f" ({have} of {self.weights.bytes} bytes are kept, the next call goes on from there)" if have else ""
        fix = "Check the address and the network and try again"
        raise self.error(f"Gave up after {ATTEMPTS} attempts: {problem}{kept}", fix)

    async def attempt(self, client: httpx2.AsyncClient) -> None:
        """One request for what `part` lacks; returns when `part` is the verified file."""
        import httpx2

        try:
            if self.have() < self.weights.bytes:
                async with asyncio.timeout(self.timeout) as clock:
                    await self.request(client, clock)
        except TimeoutError as error:
            raise Again(f"the server did not answer in time ({MIN_BYTES} bytes in {self.timeout:g} s)") from error
        except httpx2.UnsupportedProtocol:
            raise
        except httpx2.TransportError as error:
            layers = list(_layers(error))
            insecure = [layer for layer in layers if isinstance(layer, ssl.SSLError)]
            if insecure and isinstance(error, httpx2.ConnectError):
                fix = "Check the address and the machine's certificates"
                raise self.error(f"No secure connection: {insecure[0]}", fix) from error
            known = [text for layer in layers for kind, text in REASONS.items() if isinstance(layer, kind)]
            raise Again(known[0] if known else f"the connection failed ({type(error).__name__}: {error})") from error
        if problem := mismatch(self.part, self.weights):
            raise Wrong(problem)

    async def request(self, client: httpx2.AsyncClient, clock: asyncio.Timeout) -> None:
        have = self.have()
        request = client.build_request("GET", self.url, headers={"Range": f"bytes={have}-"} if have else {})
        for _ in range(MAX_REDIRECTS + 1):
            # Redirects are followed here: the client would read the body of each, however long.
            async with contextlib.aclosing(await client.send(request, stream=True)) as response:
                if not response.next_request:
                    self.check(response)
                    return await self.receive(response, clock)
                request = response.next_request
        raise self.error(f"The server redirects more than {MAX_REDIRECTS} times")

    def check(self, response: httpx2.Response) -> None:
        code, headers = response.status_code, response.headers
        answer = f"The server answered {code} {headers.get('X-Error-Message') or response.reason_phrase}"
        if code in (408, 425, 429) or code >= 500:
            wait = headers.get("Retry-After", "")
            raise Again(answer, min(float(wait[:9]), 30.0) if wait.isdecimal() else None)
        if code == 416:
            raise Wrong(answer)
        if code in (404, 410):
            # The hub says whether it lacks the file or all of the repository.
            lacks = headers.get("X-Error-Code", "EntryNotFound") == "EntryNotFound"
            raise self.error(f"{answer}: there is no such file", kind=Missing if lacks else WeightsError)
        if code in (401, 403, 407):
            raise self.error(f"{answer}: access is refused", "Check the address and your access")
        if code not in (200, 206):
            raise self.error(answer)
        given, length = headers.get("Content-Range", ""), headers.get("Content-Length", "")
        if code == 206 and not given.startswith(f"bytes {self.have()}-"):
            raise Wrong(f"the server answered the range wrongly, with Content-Range {given!r}")
        if code == 200 and length.isdecimal() and length.lstrip("0") != str(self.weights.bytes):
            kind = headers.get("Content-Type", "unknown")
            raise Wrong(f"the server offers {length} bytes of type {kind} where the card says {self.weights.bytes}")

    async def receive(self, response: httpx2.Response, clock: asyncio.Timeout) -> None:
        done = counted = self.have() if response.status_code == 206 else 0
        with self.part.open("ab" if done else "wb") as file:
            async for data in response.aiter_raw():
                room = self.weights.bytes - done
                file.write(data[:room])
                file.flush()  # what has arrived outlives a kill
                if len(data) > room:
                    raise Wrong(f"the server sends more than the {self.weights.bytes} bytes that the card says")
                done += len(data)
                self.bar.update(done - self.bar.n)
                if done - counted >= MIN_BYTES:
                    counted = done
                    clock.reschedule(asyncio.get_running_loop().time() + self.timeout)
        if done < self.weights.bytes:
            raise Again(f"the connection was cut after {done} of {self.weights.bytes} bytes")

    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def error(self, problem: str, fix: str = "Check the address", kind: type = WeightsError) -> WeightsError:
        other = "name another source, or set GANZOO_WEIGHTS to a mirror"
        where = f"Received: source={shown(self.source)!r}"
        return kind(f"Could not fetch {self.weights.file}. {shown(problem)}. {fix}, {other}. {where}")


def _layers(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from, through the libraries' layers."""
    while error is not None:
        yield error
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
