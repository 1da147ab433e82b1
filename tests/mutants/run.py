#!/usr/bin/python3
"""Would the machine that tests the broker notice? Each patch beside this file plants one bug; each must be found by a
finder it names, within the budget it names. The tree as it is passes the same finders first.

    run.py [--jobs N] [--only WORD ...] [--slice]
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SOURCES = ("Makefile", "proto", "lib", "daemon", "workers", "ctl", "config", "man", "completions", "tests/unit",
           "tests/sim", "tests/crash")
SLICE = ("ack-before-commit", "no-receipt", "rung-skipped")
ONE_RUN_S = 240                                     # a finder that takes longer hangs: it has found nothing
PROGRAMS = {"sim": "build/release/sim", "crash": "build/release/crash"}
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}


def fail(*words):
    sys.exit("mutants: " + " ".join(words))


class Mutant:
    """A patch: the sentence it begins with, and `Found by: sim FIRST SEEDS STEPS | crash IMAGES | unit PROGRAM`."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        head = path.read_text().split("\n--- ", 1)[0]
        self.finders = [tuple(line.split()) for line in re.findall(r"^Found by: (.+)$", head, re.M)]
        if not self.finders or not head[0].isupper():
            fail(f"{path}: begins with a sentence, and says `Found by: ...` above its first ---")
        for finder in self.finders:
            if (finder[0], len(finder)) not in (("sim", 4), ("crash", 2), ("unit", 2)):
                fail(f"{path}: Found by: {' '.join(finder)}: no such finder")


def program_of(finder):
    return PROGRAMS.get(finder[0]) or f"build/release/tests/unit/{finder[1]}"


# ---- finders: None, or where it was found --------------------------------------------------------------------------

def run(tree, *words):
    try:
        done = subprocess.run(words, cwd=tree, capture_output=True, text=True, errors="replace", timeout=ONE_RUN_S,
                              env={**ENVIRONMENT, "CMOCKA_MESSAGE_OUTPUT": "TAP"}, check=False)
    except subprocess.TimeoutExpired:
        return 0, f"{' '.join(words)}: still not over after {ONE_RUN_S} s"
    return done.returncode, done.stdout + done.stderr


def line_of(out, pattern):
    found = re.search(pattern, out, re.M)
    return found.group(1).strip()[:150] if found else out.strip().splitlines()[-1][:150] if out.strip() else "it died"


def by_sim(tree, first, seeds, steps):
    for seed in range(int(first), int(first) + int(seeds)):
        status, out = run(tree, PROGRAMS["sim"], "--seed", str(seed), "--seeds", "1", "--steps", steps, "--once")
        if status:
            return line_of(out, r"^BROKEN (.*)$")
    return None


def by_crash(tree, images):
    status, out = run(tree, PROGRAMS["crash"], images)
    return line_of(out, r"^BAD (.*)$") if status else None


def by_unit(tree, program):
    status, out = run(tree, f"build/release/tests/unit/{program}")
    return line_of(out, r"^not ok \d+ - (.*)$") if status else None


FINDERS = {"sim": by_sim, "crash": by_crash, "unit": by_unit}


def found_by(tree, finder):
    return FINDERS[finder[0]](tree, *finder[1:])


# ---- trees ---------------------------------------------------------------------------------------------------------

def copy(tree):
    """With its times, so that only what a patch touches is compiled."""
    for name in (*SOURCES, "build/gen", "build/release"):
        if (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", ROOT / name, tree / name], check=True)


def build(tree, targets, jobs):
    return run(tree, ENVIRONMENT.get("MAKE", "make"), "--no-print-directory", f"-j{jobs}", *targets)


def plant(tree, mutant):
    status, out = run(tree, "patch", "-p1", "-s", "--no-backup-if-mismatch", "-i", str(mutant.path))
    return f"the patch does not apply any more: {' '.join(out.split())}" if status else None


def seek(mutant, top):
    """(what to say, whether it was found)"""
    tree = pathlib.Path(tempfile.mkdtemp(prefix=mutant.name + "-", dir=top))
    try:
        copy(tree)
        wrong = plant(tree, mutant)
        if wrong:
            return wrong, False
        for finder in mutant.finders:
            status, out = build(tree, [program_of(finder)], 1)
            if status:
                return "it does not compile: " + line_of(out, r"(.*error.*)"), False
            began = time.monotonic()
            what = found_by(tree, finder)
            if what:
                return f"{' '.join(finder)}, {(time.monotonic() - began) * 1000:.0f} ms: {what}", True
        return "NOT FOUND by " + ", ".join(" ".join(f) for f in mutant.finders), False
    finally:
        shutil.rmtree(tree, ignore_errors=True)


# ---- all of them ---------------------------------------------------------------------------------------------------

def widest(finders):
    """What the control has to run: the same seeds once, as many as anybody wants."""
    sims = {}
    for f in finders:
        if f[0] == "sim":
            sims[f[1], f[3]] = max(int(f[2]), sims.get((f[1], f[3]), 0))
    crash = sorted((f for f in finders if f[0] == "crash"), key=lambda f: int(f[1]))[-1:]
    return [*(("sim", first, str(n), steps) for (first, steps), n in sims.items()), *crash,
            *(f for f in finders if f[0] == "unit")]


def control(finders, pool):
    """Seeds one by one, so that all cores have something to do."""
    tasks = []
    for f in widest(finders):
        if f[0] == "sim":
            tasks += [("sim", str(int(f[1]) + i), "1", f[3]) for i in range(int(f[2]))]
        else:
            tasks.append(f)
    good = True
    for task, what in zip(tasks, pool.map(lambda t: found_by(ROOT, t), tasks)):
        if what:
            good = False
            print(f"control: {' '.join(task)}: {what}")
    return good


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments.add_argument("--only", nargs="*", default=[], metavar="WORD", help="those with such a word in their name")
    arguments.add_argument("--slice", action="store_true", help="three that are found soonest, and no control")
    a = arguments.parse_args()
    words = SLICE if a.slice else a.only
    mutants = [m for m in map(Mutant, sorted(HERE.glob("*.patch"))) if not words or any(w in m.name for w in words)]
    finders = list(dict.fromkeys(f for m in mutants for f in m.finders))
    began, found = time.monotonic(), 0
    status, out = build(ROOT, sorted({program_of(f) for f in finders}), a.jobs)
    if status:
        fail("the tree does not build:\n" + out)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mutants-", dir=memory) as top, \
            concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        good = a.slice or control(finders, pool)
        if not a.slice:
            print(f"control: {'nothing is found where nothing was planted' if good else 'BROKEN'}, "
                  f"{time.monotonic() - began:.0f} s", flush=True)
        for m, (what, was) in zip(mutants, pool.map(lambda m: seek(m, top), mutants)):
            found += was
            print(f"{'found ' if was else 'MISSED'} {m.name:26} {what}", flush=True)
    print(f"mutants: {found} of {len(mutants)} found in {time.monotonic() - began:.0f} s")
    return 0 if good and found == len(mutants) and mutants else 1


if __name__ == "__main__":
    sys.exit(main())
