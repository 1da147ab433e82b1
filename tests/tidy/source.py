"""What can be seen by reading: banned calls, lengths, widths, unfinished work, traces of the place where it was made.

tests/tidy/ratchet.txt tolerates what was too long when it was listed: `path:function lines` or `path lines`. A number
there may only shrink: longer is an error, and so is shorter while the old number still stands there."""
import glob
import json
import re
import subprocess
import sys

FUNCTION_MAX, FILE_MAX, WIDTH_MAX = 60, 600, 120
BANNED = """strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets atoi atol atoll atof strtok strtok_r alloca system"""
# The clock and the dice are in one file, so that a test can hold them.
# A jump out of everything is how a simulated process dies, and nothing else.
ONE_DOOR = {"tests/sim/life.c": "setjmp longjmp", "lib/base/sys.c": "time clock clock_gettime gettimeofday ftime rand random drand48 getrandom"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
WORKPLACE = re.compile(r"""(?<![\w.*/$})-])/wor""" r"""k(?![\w-])|\.\./shar""" r"""ed\b""")

complaints = []


def bare(text):
    """C without its comments, strings and characters, line for line."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)


def calls(path, text):
    words = BANNED.split()
    for door, names in ONE_DOOR.items():
        if path != door and not path.startswith(("tests/", "bench/")):
            words += names.split()
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\s*\(")
    for number, line in enumerate(bare(text).split("\n"), 1):
        for m in pattern.finditer(line):
            complaints.append(f"{path}:{number}: {m[1]} is banned here")


def width(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > WIDTH_MAX:
            complaints.append(f"{path}:{number}: {len(line)} columns, {WIDTH_MAX} is the most")
        if line != line.rstrip() or "\t" in line:
            complaints.append(f"{path}:{number}: a tab, or blanks at the end")


def lengths(paths, texts):
    """name -> lines, of whatever is longer than it may be"""
    long = {p: texts[p].count("\n") for p in paths if texts[p].count("\n") > FILE_MAX}
    command = ["ctags", "--output-format=json", "--langmap=C:.c.h", "--kinds-C=f", "--fields=+ne", "-o", "-"]
    for line in subprocess.run(command + paths, check=True, capture_output=True, text=True).stdout.splitlines():
        tag = json.loads(line)
        length = tag.get("end", tag["line"]) - tag["line"] + 1
        if length > FUNCTION_MAX:
            long[f"{tag['path']}:{tag['name']}"] = length
    return long


def ratchet(long):
    listed = dict(line.split() for line in open("tests/tidy/ratchet.txt") if line.strip() and line[0] != "#")
    for name, most in listed.items():
        now = long.pop(name, 0)
        if now > int(most):
            complaints.append(f"{name}: {now} lines, and the ratchet stands at {most}")
        elif now < int(most):
            advice = f"write {now}" if now else "take it out"
            complaints.append(f"{name}: shorter than in tests/tidy/ratchet.txt: {advice}")
    for name, now in long.items():
        complaints.append(f"{name}: {now} lines, {FUNCTION_MAX if ':' in name else FILE_MAX} is the most")


def main():
    names = subprocess.run("find . -type f -not -path './.git/*' -not -path './build/*' "
                           "-not -path './tests/fuzz/protobuf-c/*' -not -path './tests/fuzz/corpus/*' -printf '%P\\n' | sort",
                           shell=True, check=True, capture_output=True, text=True).stdout.split()
    texts = {}
    for name in names:
        try:
            texts[name] = open(name, encoding="utf-8").read()
        except UnicodeDecodeError:
            pass                                         # not text: nothing to read
    sources = [n for n in texts if n.endswith((".c", ".h"))]
    for path in sources:
        calls(path, texts[path])
        width(path, texts[path])
    for path, text in texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if UNFINISHED.search(line) and not path.endswith(".md"):
                complaints.append(f"{path}:{number}: unfinished: {line.strip()}")
            if WORKPLACE.search(line):
                complaints.append(f"{path}:{number}: names a place outside of the project: {line.strip()}")
    ratchet(lengths(sources, texts) if sources else {})
    print("\n".join(complaints), end="\n" if complaints else "")
    return bool(complaints)


sys.exit(main())
