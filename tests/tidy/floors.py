"""Every #include against FLOORS: a folder includes from what it sees, a foreign header comes in through its door."""
import glob
import os
import re
import sys

LIBC = set("""arpa/inet.h assert.h ctype.h dirent.h endian.h errno.h fcntl.h float.h fnmatch.h getopt.h glob.h grp.h
    inttypes.h limits.h locale.h math.h net/if.h netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h pwd.h sched.h signal.h spawn.h
    stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h sys/
    syslog.h time.h unistd.h linux/""".split())
PURE = {"limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}


def read_floors():
    """folder -> (floor, set of words it sees, {file: headers})"""
    floors = {}
    for line in open("FLOORS"):
        words = line.split("#")[0].split()
        if words:
            doors = dict(w.split(":") for w in words[2:] if ":" in w)
            sees = {w for w in words[2:] if ":" not in w and w != "-"}
            floors[words[1]] = (int(words[0]), sees, {f: set(h.split(",")) for f, h in doors.items()})
    return floors


def visible_folders(folder, floors):
    found = {folder}
    for word in floors[folder][1]:
        low, _, high = word.partition("-")
        if low.isdigit():
            found |= {f for f in floors if int(low) <= floors[f][0] <= int(high or low)}
        elif word not in ("pure", "messages"):
            found.add(word)
    return found


def listed(header, headers):
    return header in headers or any(h.endswith("/") and header.startswith(h) for h in headers)


def complaint(path, folder, header, quoted, floors):
    sees, doors = floors[folder][1], floors[folder][2]
    visible = visible_folders(folder, floors)
    if quoted:
        if header == "whistle.pb-c.h":
            sees_floor_1 = any(floors[f][0] == 1 for f in visible - {folder, "lib/crypto"})
            return None if "messages" in sees or sees_floor_1 else "does not see the messages"
        if not os.path.exists(header):
            return "no such header, counted from the root"
        return None if os.path.dirname(header) in visible else "is not on a floor that this folder sees"
    if listed(header, doors.get(os.path.basename(path), ())):
        return None
    if listed(header, PURE if "pure" in sees else LIBC):
        return None
    return "is neither of the C library nor behind a door in this file"


def main():
    floors, bad = read_floors(), 0
    files = [f for top in ("lib", "daemon", "workers", "ctl") for f in glob.glob(top + "/**/*.[ch]", recursive=True)]
    for path in sorted(files):
        folder = os.path.dirname(path)
        if folder not in floors:
            print(f"{path}: its folder is not in FLOORS")
            bad += 1
            continue
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            m = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            why = m and complaint(path, folder, m[1] or m[2], bool(m[1]), floors)
            if why:
                print(f"{path}:{number}: {m[1] or m[2]} {why}")
                bad += 1
    return bad > 0


sys.exit(main())
