"""Where pretrained weights come from, and how a model's weights are written and read.

A preset's card binds it to one file: its name, its size and its sha256. `locate` finds that file and hands back only
what was verified, `save_weights` and `load_weights` move weights between a model and a safetensors file.

Whatever the source, the hash decides: no file under a final name in the cache was ever anything else than verified.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

if TYPE_CHECKING:
    import keras
    import requests

RELEASE_URL: str | None = None  # base address of the published weights; set by the maintainers at the first release

ATTEMPTS = 5  # requests for one file before giving up
BACKOFF = 0.5  # seconds before the second attempt, doubled each time
MAX_REDIRECTS = 10
MIN_BYTES = 1024  # a connection that brings less within one timeout has stalled, however steadily it drips
LOCK_TIMEOUT = 600.0  # seconds to wait for another process that downloads the same file
FORMAT = 1  # version of the weights files' layout

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)


class WeightsError(RuntimeError):
    """Weights could not be found, fetched, verified, written or read; the message names the fix."""


class _Missing(WeightsError):
    """The source answered, and does not hold the file."""


class _Again(Exception):
    """An attempt failed in a way that another may mend, after `delay` seconds if the server named them."""

    def __init__(self, problem: str, delay: float | None = None):
        super().__init__(problem)
        self.delay = delay


class _Wrong(_Again):
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


# ---------------------------------------------------------------------------------------------------- finding the file


def locate(weights: WeightsFile, source: str | os.PathLike[str] | None = None, progress: bool = True) -> Path:
    """Returns the path of a local file that was verified to be the one which `weights` describes.

    The first of these sources decides:

    1. `source`. It is the only one tried: if it fails, this raises.
    2. The environment variable `GANZOO_WEIGHTS`: a mirror, that is a folder, local or under an http(s):// or hf://
       address. A mirror that answers and does not hold the file is passed over (it may hold a few presets only); one
       that holds another file under that name, or does not answer, raises.
    3. The copy bundled with the package.
    4. The release address. Until there is one, this raises for a preset that is not bundled, and says how to get it.

    What comes over the network is kept in the cache, `weights/` under `GANZOO_HOME` or the platform's user cache. A
    file there is verified on each use and then used without network; one that does not hold is fetched anew. A server
    that is silent for `GANZOO_TIMEOUT` seconds (20) is asked again, five times in all; what has arrived is resumed,
    also by a later call.

    Args:
        weights: The file to find.
        source: A file, a folder that holds it, an http(s):// address of the file or (ending in "/") of a folder, or
            `hf://owner/repo[@revision][/path]`, where a path that ends in "/" is a folder.
        progress: Whether downloads draw a progress bar on standard error.

    Returns:
        The path of a file with the right bytes. Its name may differ from `weights.file`.

    Raises:
        WeightsError: If the source does not give the right file.
        ValueError: If `source` is not an address of a known kind.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "toy.safetensors").write_bytes(b"weights")
        >>> weights = WeightsFile("toy", "toy.safetensors", sha256(folder / "toy.safetensors"), bytes=7)
        >>> locate(weights, folder).name
        'toy.safetensors'
    """
    if source is not None:
        return _from(weights, source, progress)
    mirror = os.environ.get("GANZOO_WEIGHTS")
    if mirror:
        try:
            return _from(weights, mirror if mirror.endswith("/") else mirror + "/", progress)
        except _Missing:
            pass
        except WeightsError as error:
            raise WeightsError(f"The mirror that GANZOO_WEIGHTS names fails. {error}") from error
    bundled = bundled_dir() / weights.file
    if bundled.is_file():
        return _verified(bundled, weights, fix="The installation is damaged: reinstall ganzoo.")
    if RELEASE_URL:
        return _from(weights, RELEASE_URL, progress)
    cached = _cache_path(weights)
    if cached.is_file() and _problem(cached, weights) is None:
        return cached
    held = f" GANZOO_WEIGHTS={_shown(mirror)!r} does not hold {weights.file}." if mirror else ""
    raise WeightsError(
        f"The weights of {weights.preset!r} are neither bundled with this version of ganzoo nor published.{held}\n"
        f"Name a source (`weights=` takes a file, a folder, an http(s):// or hf:// address), set GANZOO_WEIGHTS to a "
        f"mirror that holds {weights.file}, or train it: `ganzoo train {weights.preset}`. "
        f"Received: preset={weights.preset!r}"
    )


def bundled_dir() -> Path:
    """Returns the folder of the bundled weights: inside the package in a wheel, beside it in a source checkout."""
    package = Path(__file__).resolve().parents[1]
    places = [parent / "zoo_configs" / "weights" for parent in (package, package.parent)]
    return next((place for place in places if place.is_dir()), places[0])


def sha256(path: str | os.PathLike[str]) -> str:
    """Returns the sha256 of a file's content, 64 lower-case hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from(weights: WeightsFile, source: str | os.PathLike[str], progress: bool) -> Path:
    """The verified file from one source, through the cache if the source is remote."""
    text = os.fspath(source)
    scheme, separator, _ = text.partition("://")
    if not text:
        raise ValueError(f"The source of the weights is empty. {_SOURCES} Received: source={text!r}")
    if not separator:
        return _local(weights, Path(text).expanduser())
    if scheme.lower() in ("http", "https"):
        url = _file_url(text, weights)
        return _through_cache(weights, lambda part: _Download(url, part, weights).run(progress))
    if scheme == "hf":
        place = _hub_place(text, weights)
        return _through_cache(weights, lambda part: _from_hub(weights, place, part, progress))
    raise ValueError(f"Unknown kind of address. {_SOURCES} Received: source={_shown(text)!r}")


_SOURCES = "A source is a file, a folder, an http(s):// address or hf://owner/repo[@revision][/path]."


def _local(weights: WeightsFile, path: Path) -> Path:
    try:
        if path.is_dir():
            folder, path = path, path / weights.file
            if not path.is_file():
                names = sorted(other.name for other in folder.iterdir())
                close = difflib.get_close_matches(weights.file, names, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise _Missing(f"There is no {weights.file} in the folder.{hint} Received: source={str(folder)!r}")
        if not path.is_file():
            raise WeightsError(f"There is no such file or folder. {_SOURCES} Received: source={str(path)!r}")
        return _verified(path, weights, fix="Get the right file, or name another source.")
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"The weights cannot be read: {reason}. Received: source={str(path)!r}") from error


def _verified(path: Path, weights: WeightsFile, fix: str) -> Path:
    problem = _problem(path, weights)
    if problem:
        raise WeightsError(f"Not the weights of {weights.preset!r}: {problem}. {fix} Received: source={str(path)!r}")
    return path


def _problem(path: Path, weights: WeightsFile) -> str | None:
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


# ------------------------------------------------------------------------------------------------------------ the cache


def cache_dir(kind: str) -> Path:
    """Returns the folder of that name under `GANZOO_HOME`, or under the platform's user cache; it need not exist."""
    home = os.environ.get("GANZOO_HOME")
    if not home:
        import platformdirs

        home = platformdirs.user_cache_dir("ganzoo", appauthor=False)
    return Path(home).expanduser() / kind


def _cache_path(weights: WeightsFile) -> Path:
    """The name carries the hash, so that two versions of ganzoo share a cache without fighting over a file."""
    stem, suffix = os.path.splitext(weights.file)
    return cache_dir("weights") / f"{stem}-{weights.sha256[:12]}{suffix}"


def _through_cache(weights: WeightsFile, fetch: Callable[[Path], None]) -> Path:
    """Runs `fetch(part)`, which leaves a verified file in `part`, unless the cache holds the file already."""
    final = _cache_path(weights)
    part = final.with_name(final.name + ".part")
    with _disk_errors(final, part):
        if final.is_file() and _problem(final, weights) is None:
            return final  # needs neither the lock nor a cache that can be written
        final.parent.mkdir(parents=True, exist_ok=True)
        with _locked(final, weights):
            if final.is_file() and _problem(final, weights) is None:
                return final  # another process fetched it while this one waited
            final.unlink(missing_ok=True)
            fetch(part)
            os.replace(part, final)
    return final


@contextlib.contextmanager
def _disk_errors(final: Path, part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        tail = f"Received: cache={str(final.parent)!r}"
        if error.errno in _FULL:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)  # a piece of a file is no use to a full disk
            problem, fix = "The disk is full", "Free some space"
        elif error.errno in _DENIED:
            problem, fix = f"The cache cannot be read and written: {error.strerror}", "Give yourself access"
        else:
            problem, fix = f"The cache cannot be used: {error.strerror or error}", "Check that folder"
        elsewhere = "set GANZOO_HOME to a folder on a disk with room that you can write, or name a file as the source"
        raise WeightsError(f"{problem}. {fix}, {elsewhere}. {tail}") from error


@contextlib.contextmanager
def _locked(final: Path, weights: WeightsFile) -> Iterator[None]:
    """Held by one process at a time. The lock belongs to the operating system, which frees it when its holder dies."""
    from filelock import FileLock, Timeout

    lock = FileLock(str(final) + ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"ganzoo: waiting for another process that downloads {weights.file} ({lock.lock_file})", file=sys.stderr)
        try:
            lock.acquire(timeout=LOCK_TIMEOUT)
        except Timeout:
            raise WeightsError(
                f"Another process has been downloading {weights.file} for more than {LOCK_TIMEOUT:g} s. Wait for it or "
                f"end it, then try again. Received: lock={lock.lock_file!r}"
            ) from None
    try:
        yield
    finally:
        lock.release()


# ------------------------------------------------------------------------------------------------------------ over HTTP


def _file_url(url: str, weights: WeightsFile) -> str:
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"The address names no host. {_SOURCES} Received: source={url!r}")
    if parts.path == "" or parts.path.endswith("/"):
        parts = parts._replace(path=(parts.path or "/") + quote(weights.file))
    return urlunsplit(parts)


def _shown(url: str) -> str:
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


class _Download:
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
                except _Again as error:
                    problem, delay = str(error), error.delay
                    if isinstance(error, _Wrong):
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
        problem = _problem(self.part, self.weights)
        if problem:
            raise _Wrong(problem)

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
            raise _Again(_reason(error)) from error
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
            raise _Again(answer, min(float(wait[:9]), 30.0) if wait.isdecimal() else None)
        if code == 416:
            raise _Wrong(answer)
        if code in (404, 410):
            raise _Missing(self.message(f"{answer}: there is no such file", "Check the address"))
        if code in (401, 403, 407):
            raise WeightsError(self.message(f"{answer}: access is refused", "Check the address and your access"))
        raise WeightsError(self.message(answer, "Check the address"))

    def start(self, response: requests.Response) -> int:
        """The place in the file where the answer's body begins. Only a 206 that fits what is there continues it."""
        if response.status_code == 206:
            given = response.headers.get("Content-Range", "")
            match = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", given.strip())
            if not match or int(match[1]) != self.have() or match[2] not in ("*", str(self.weights.bytes)):
                raise _Wrong(f"the server answered the range wrongly, with Content-Range {given!r}")
            if self.etag and response.headers.get("ETag") != self.etag:
                raise _Wrong("the file changed on the server during the download")
            return int(match[1])
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and length.lstrip("0") != str(self.weights.bytes):
            kind = response.headers.get("Content-Type", "unknown")
            raise _Wrong(f"the server offers {length} bytes of type {kind} where the card says {self.weights.bytes}")
        return 0

    def receive(self, response: requests.Response, start: int, update: Callable[[int], None]) -> None:
        done = start
        with self.part.open("ab" if start else "wb") as file:
            for data in self.chunks(response):
                room = self.weights.bytes - done
                file.write(data[:room])
                if len(data) > room:
                    raise _Wrong(f"the server sends more than the {self.weights.bytes} bytes that the card says")
                done += len(data)
                update(done)
        if done < self.weights.bytes:
            raise _Again(f"the connection was cut after {done} of {self.weights.bytes} bytes")

    def chunks(self, response: requests.Response) -> Iterator[bytes]:
        import urllib3

        since, got = time.monotonic(), 0
        while True:
            try:
                # read1, for read would wait for the whole block on a connection that drips
                data = response.raw.read1(1 << 16, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise _Again(_reason(error)) from error
            if not data:
                return
            yield data
            got += len(data)
            if (now := time.monotonic()) - since > self.timeout:
                if got < MIN_BYTES:
                    raise _Again(f"the connection stalled, {got} bytes came in {self.timeout:g} s")
                since, got = now, 0

    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def message(self, problem: str, fix: str) -> str:
        other = "name another source, or set GANZOO_WEIGHTS to a mirror"
        return f"Could not fetch {self.weights.file}. {problem}. {fix}, {other}. Received: source={_shown(self.url)!r}"


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


# ------------------------------------------------------------------------------------------------ from Hugging Face Hub


def _hub_place(source: str, weights: WeightsFile) -> tuple[str, str | None, str]:
    """Repository, revision and path of an hf:// address."""
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([^/]+))?(?:/(.*))?", source)
    path = match[3] or "" if match else ""
    if not match or ".." in path.split("/"):
        raise ValueError(f"The address must be hf://owner/repo[@revision][/path]. Received: source={source!r}")
    if path == "" or path.endswith("/"):
        path += weights.file
    return match[1], unquote(match[2]) if match[2] else None, path.lstrip("/")


def _from_hub(weights: WeightsFile, place: tuple[str, str | None, str], part: Path, progress: bool) -> None:
    repo, revision, path = place
    shown = f"hf://{repo}{'@' + revision if revision else ''}/{path}"
    try:
        import huggingface_hub as hub
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError:
        fix = "Install it: pip install 'ganzoo[hub]'."
        raise WeightsError(f"hf:// addresses need huggingface_hub. {fix} Received: source={shown!r}") from None
    folder = part.with_name(part.name + ".hub")
    try:
        size = hub.get_hf_file_metadata(hub.hf_hub_url(repo, path, revision=revision)).size
        if size != weights.bytes:
            raise _Wrong(f"the hub offers {size} bytes where the card says {weights.bytes}")
        with _hub_progress(progress):
            os.replace(hub.hf_hub_download(repo, path, revision=revision, local_dir=folder), part)
        if problem := _problem(part, weights):
            part.unlink()
            raise _Wrong(problem)
    except Exception as error:  # the hub's own classes, and those of whichever HTTP library its version stands on
        if isinstance(error, OSError) and error.errno in _FULL + _DENIED:
            raise
        kind = _Missing if isinstance(error, EntryNotFoundError) else WeightsError
        problem = " ".join(str(error).split())[:300] or type(error).__name__
        raise kind(
            f"Could not fetch {weights.file} from the hub: {problem}. Check owner, repository, revision, path and your "
            f"access, or name another source. Received: source={shown!r}"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _hub_progress(progress: bool) -> Iterator[None]:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silence = not progress and not are_progress_bars_disabled()
    if silence:
        disable_progress_bars()
    try:
        yield
    finally:
        if silence:
            enable_progress_bars()


# ------------------------------------------------------------------------------------------------- a model and its file


def save_weights(model: Any, path: str | os.PathLike[str], half: bool = True) -> None:
    """Writes the weights of a model's networks to a safetensors file; averaged ones where the network has them.

    A variable is stored as "<network>/<path>", the path made of the names of the layers around it and its own (for a
    layer `conv1` of the generator, "generator/conv1/kernel"). Seed states, metrics and optimizers are not stored. The
    same weights always give the same bytes.

    Args:
        model: Anything with `networks` and `moving_averages`, dictionaries of built Keras models by name.
        path: The file to write. It is written beside and renamed, so that it is there whole or not at all.
        half: Whether variables of two or more axes are stored in float16, those that it can hold.

    Raises:
        WeightsError: If a network is not built, a value is not finite or two variables have the same path.

    Example:
        >>> model = ganzoo.DCGAN(image_shape=(28, 28, 1))
        >>> save_weights(model, "dcgan.safetensors")
    """
    from safetensors.numpy import save

    path = Path(path)
    tensors = {key: _stored(key, variables[0], half) for key, variables in _variables(model).items()}
    # One entry, for safetensors writes several in an order that changes from run to run, and with it the hash.
    metadata = {"ganzoo": json.dumps({"format": FORMAT, "model": type(model).__name__}, sort_keys=True)}
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(save(tensors, metadata))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Reads a file that `save_weights` wrote into a model's networks, and into their averaged copies.

    Everything is checked first: if the file does not fit the model exactly, nothing is changed.

    Args:
        model: Anything with `networks` and `moving_averages`, dictionaries of built Keras models by name.
        path: A safetensors file. Nothing in it is executed.

    Raises:
        WeightsError: If the file cannot be read, its keys or shapes are not the model's, or a value is not finite.

    Example:
        >>> load_weights(model, "dcgan.safetensors")
    """
    tensors, written_by = _read(Path(path))
    wanted = _variables(model)
    problems = _misfits(tensors, wanted)
    if problems:
        listed = "\n  ".join(problems[:12] + ([f"and {len(problems) - 12} more"] if len(problems) > 12 else []))
        raise WeightsError(
            f"The file does not fit the model ({type(model).__name__}); nothing was changed.\n  {listed}\n"
            f"Build the model with the options that the file was trained with{written_by}, and name its layers "
            f"explicitly. Received: path={str(path)!r}"
        )
    for key, variables in wanted.items():
        for variable in variables:
            variable.assign(tensors[key])


def _stored(key: str, variable: keras.Variable, half: bool) -> Any:
    import keras
    import numpy as np

    value = np.array(keras.ops.convert_to_numpy(variable))
    if not np.issubdtype(value.dtype, np.integer) and value.dtype != bool:
        value = value.astype("float32")  # bfloat16 too, which NumPy does not know as floating
        if not np.isfinite(value).all():
            raise WeightsError(f"A value is not finite, the training diverged. Take earlier weights. Received: {key=}")
        if half and value.ndim >= 2 and np.abs(value).max(initial=0) <= np.finfo("float16").max:
            value = value.astype("float16")
    return value


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """The file's tensors by key, and " (model ...)" if the file says what it was written from."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(f"There is no such weights file. Received: path={str(path)!r}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            about = json.loads((file.metadata() or {}).get("ganzoo", "{}"))
            version, model = int(about.get("format", FORMAT)), about.get("model")
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"This is not a readable safetensors file: {error}. Received: path={str(path)!r}") from error
    if version > FORMAT:
        fix = "Upgrade ganzoo"
        raise WeightsError(f"The file has format {version}, newer than {FORMAT}. {fix}. Received: path={str(path)!r}")
    return tensors, f" (it was written from {model})" if model else ""


def _misfits(tensors: dict[str, Any], wanted: dict[str, tuple[keras.Variable, ...]]) -> list[str]:
    """One line for each way in which the file is not what the model needs."""
    import numpy as np

    unexpected = sorted(tensors.keys() - wanted.keys())
    lines = []
    for key in sorted(wanted.keys() - tensors.keys()):
        close = difflib.get_close_matches(key, unexpected, n=1)
        lines.append(f"missing: {key}" + (f" (the file has {close[0]})" if close else ""))
    for key in unexpected:
        close = difflib.get_close_matches(key, wanted, n=1)
        lines.append(f"unexpected: {key}" + (f" (the model has {close[0]})" if close else ""))
    for key in sorted(wanted.keys() & tensors.keys()):
        value, shape = tensors[key], tuple(wanted[key][0].shape)
        if value.shape != shape:
            lines.append(f"shape: {key} is {value.shape} in the file, {shape} in the model")
        elif not np.isfinite(value).all():
            lines.append(f"not finite: {key}")
    return lines


def _variables(model: Any) -> dict[str, tuple[keras.Variable, ...]]:
    """The variables behind each key: the one whose value is stored first, then all that a loaded value goes to."""
    found: dict[str, tuple[keras.Variable, ...]] = {}
    for name, network in model.networks.items():
        averaged = model.moving_averages.get(name, network)
        pairs, copies = _named(network), _named(averaged)
        if not pairs:
            raise WeightsError(f"The network {name!r} has no weights yet. Build it first. Received: network={name!r}")
        if [variable.shape for _, variable in pairs] != [variable.shape for _, variable in copies]:
            raise WeightsError(f"The averaged {name!r} has another architecture than {name!r}. Received: name={name!r}")
        for (path, variable), (_, copy) in zip(pairs, copies):
            key = f"{name}/{path}"
            if key in found:
                fix = "Give the layers of a network names that differ"
                raise WeightsError(f"Two variables have the same path. {fix}. Received: key={key!r}")
            found[key] = (copy,) if copy is variable else (copy, variable)
    return found


def _named(network: keras.Model) -> list[tuple[str, keras.Variable]]:
    """A network's weights by path, which depends on the names of the layers alone.

    Keras' `variable.path` alone does not do: it begins with the name of a Sequential or subclassed model and of every
    model whose `build` was under way, automatic ones among them ("sequential_1/conv/kernel"), and after
    `load_model` or `from_config` it lacks the names of nested models and wrappers.
    """
    pairs: list[tuple[str, keras.Variable]] = []
    seen: set[int] = set()
    for path, variable in _walk(network):
        if id(variable) not in seen:  # a layer that is used in two places is stored once
            seen.add(id(variable))
            pairs.append((path, variable))
    return pairs


def _walk(network: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from ((f"{layer.name}/{path}", variable) for path, variable in _walk(layer))
        else:
            yield from ((_below(layer, variable), variable) for variable in layer.weights)
    yield from ((_below(network, variable).partition("/")[2], variable) for variable in network.weights)


def _below(layer: keras.Layer, variable: keras.Variable) -> str:
    """The variable's path from the layer's own name on."""
    names = variable.path.split("/")
    return "/".join(names[names.index(layer.name) :] if layer.name in names else [layer.name, *names])
