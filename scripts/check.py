"""Checks the project: format, lint, types, and the tests on every backend.

    python scripts/check.py                                        all of it, as continuous integration does
    python scripts/check.py --backend torch                        everything, tests on one backend only
    python scripts/check.py --backend jax -- tests/test_feed.py    only these tests, on one backend

Tests run in several processes; `-- -n0` runs them in one, as a debugger needs.
Fails where a backend is missing, and where a contract or parity test is skipped.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("tensorflow", "jax", "torch")
NEVER_SKIPPED = ("tests.test_contract", "tests.test_parity")
STATIC = (("ruff", "format", "--check"), ("ruff", "check"), ("mypy",))
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    # The same programs compiled with less care: most of JAX' time here goes into programs that run once.
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false",
}
# A process per core, of one thread on PyTorch; at most four, since each holds what it compiled. TensorFlow frees none
# of it: by the end of all tests two processes would fill 24 GB, so they begin anew after each share of the files.
SHARES = 4
PROCESSES = ("--numprocesses=logical", "--maxprocesses=4", "--dist=worksteal")


def run(command: tuple, backend: str = "", **variables: str) -> bool:
    shown = " ".join(str(part) for part in command)
    print(f"\n== {f'KERAS_BACKEND={backend} ' if backend else ''}{shown}", flush=True)
    environment = {**os.environ, **ENVIRONMENT} | ({"KERAS_BACKEND": backend} if backend else {}) | variables
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment).returncode == 0


def run_tests(backend: str, first: bool, arguments: list[str]) -> list[str]:
    """Runs pytest on one backend; returns what is wrong, in words."""
    files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tests/test_*.py"))]
    shares = [arguments] if arguments else [files[i::SHARES] for i in range(SHARES)]
    passed, skipped = True, []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        for share in shares:
            chosen = [*PROCESSES, *share, f"--junitxml={report}", "--durations=10"]
            chosen += [] if first else ["-m", "not backend_free"]
            # What JAX compiled in one test serves the others: it is most of their time.
            passed &= run(("pytest", "-q", *chosen), backend, JAX_COMPILATION_CACHE_DIR=f"{folder}/compiled")
            cases = ET.parse(report).iter("testcase") if report.is_file() else ()
            skipped += [c for c in cases if c.find("skipped") is not None and c.get("classname") in NEVER_SKIPPED]
            report.unlink(missing_ok=True)
    faults = [f"skipped on {backend}: {case.get('classname')}.{case.get('name')}" for case in skipped]
    return faults if passed else [f"tests on {backend}", *faults]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only this backend; may be repeated")
    parser.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="for pytest; leaves out format, lint, types")
    arguments = parser.parse_args()
    backends = arguments.backend or list(BACKENDS)
    needed = [*backends, *(() if arguments.pytest else ("ruff", "mypy"))]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        parser.error(f"not installed: {', '.join(missing)}. `pip install torch==2.13.0 -e '.[dev,jax]'` installs all.")
    start, faults = time.monotonic(), []
    if not arguments.pytest:
        faults += [" ".join(command) for command in STATIC if not run(command)]
    for backend in backends:
        faults += run_tests(backend, backend == backends[0], arguments.pytest)
    print(f"\n{(time.monotonic() - start) / 60:.1f} minutes on {', '.join(backends)}.")
    if faults:
        sys.exit("check: not passed:\n  " + "\n  ".join(faults))
    print("check: all passed")


if __name__ == "__main__":
    main()
