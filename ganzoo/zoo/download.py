"""Where pretrained weights come from.

A preset's card binds it to one file: its name, its size and its sha256. `locate` finds that file and hands back only
what was verified. Whatever the source, the hash decides: no file under a final name in the cache was ever anything else
than verified.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ganzoo.zoo.transfer import Download, Missing, WeightsError, WeightsFile, mismatch, sha256, shown

__all__ = ["RELEASE_URL", "WeightsError", "WeightsFile", "bundled_dir", "cache_dir", "locate", "sha256"]

RELEASE_URL: str | None = None  # base address of the published weights; set by the maintainers at the first release

LOCK_TIMEOUT = 600.0  # seconds to wait for another process that downloads the same file

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)


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
    that brings nothing, or next to nothing, for `GANZOO_TIMEOUT` seconds (20) is asked again, five times in all; what
    has arrived is resumed, also by a later call.

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
        except Missing:
            pass
        except WeightsError as error:
            raise WeightsError(f"The mirror that GANZOO_WEIGHTS names fails. {error}") from error
    bundled = bundled_dir() / weights.file
    if bundled.is_file():
        return _verified(bundled, weights, fix="The installation is damaged: reinstall ganzoo.")
    if RELEASE_URL:
        return _from(weights, RELEASE_URL, progress)
    cached = _cache_path(weights)
    if cached.is_file() and mismatch(cached, weights) is None:
        return cached
    held = f" GANZOO_WEIGHTS={shown(mirror)!r} does not hold {weights.file}." if mirror else ""
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
        return _through_cache(weights, lambda part: Download(text, url, {}, part, weights).run(progress))
    if scheme == "hf":
        place = _hub_place(text, weights)
        return _through_cache(weights, lambda part: Download(text, *_hub_url(*place), part, weights).run(progress))
    raise ValueError(f"Unknown kind of address. {_SOURCES} Received: source={shown(text)!r}")


_SOURCES = "A source is a file, a folder, an http(s):// address or hf://owner/repo[@revision][/path]."


def _local(weights: WeightsFile, path: Path) -> Path:
    try:
        if path.is_dir():
            folder, path = path, path / weights.file
            if not path.is_file():
                names = sorted(other.name for other in folder.iterdir())
                close = difflib.get_close_matches(weights.file, names, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise Missing(f"There is no {weights.file} in the folder.{hint} Received: source={str(folder)!r}")
        if not path.is_file():
            raise WeightsError(f"There is no such file or folder. {_SOURCES} Received: source={str(path)!r}")
        return _verified(path, weights, fix="Get the right file, or name another source.")
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"The weights cannot be read: {reason}. Received: source={str(path)!r}") from error


def _verified(path: Path, weights: WeightsFile, fix: str) -> Path:
    problem = mismatch(path, weights)
    if problem:
        raise WeightsError(f"Not the weights of {weights.preset!r}: {problem}. {fix} Received: source={str(path)!r}")
    return path


def _file_url(url: str, weights: WeightsFile) -> str:
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"The address names no host. {_SOURCES} Received: source={shown(url)!r}")
    if parts.path == "" or parts.path.endswith("/"):
        parts = parts._replace(path=(parts.path or "/") + quote(weights.file))
    return urlunsplit(parts)


def _hub_place(source: str, weights: WeightsFile) -> tuple[str, str, str | None]:
    """Repository, path and revision of an hf:// address."""
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([^/]+))?(?:/(.*))?", source)
    path = match[3] or "" if match else ""
    if not match or ".." in path.split("/"):
        raise ValueError(f"The address must be hf://owner/repo[@revision][/path]. Received: source={source!r}")
    if path == "" or path.endswith("/"):
        path += weights.file
    return match[1], path.lstrip("/"), unquote(match[2]) if match[2] else None


def _hub_url(repo: str, path: str, revision: str | None) -> tuple[str, dict[str, str]]:
    """The file's address on the hub, and the headers with the token that huggingface_hub knows."""
    try:
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import build_hf_headers
    except ImportError:
        fix = "Install it: pip install 'keras-ganzoo[hub]'."
        raise WeightsError(f"hf:// addresses need huggingface_hub. {fix} Received: repo={repo!r}") from None
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"HF_HUB_OFFLINE keeps from the hub. Unset it. Received: repo={repo!r}")
    return hf_hub_url(repo, path, revision=revision), build_hf_headers()


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
        if final.is_file() and mismatch(final, weights) is None:
            return final  # needs neither the lock nor a cache that can be written
        final.parent.mkdir(parents=True, exist_ok=True)
        with _locked(final, weights):
            if final.is_file() and mismatch(final, weights) is None:
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
