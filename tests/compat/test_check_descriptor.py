"""The compatibility check finds each way to break a schema.

Run: /usr/bin/python3 -B tests/compat/test_check_descriptor.py"""
import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_descriptor.py")
FROZEN = """syntax = "proto2"; package t;
enum E { A = 0; B = 1; }
message N { optional int64 x = 1; }
message M { optional uint32 n = 1; repeated uint64 many = 2 [packed = true]; optional E e = 3; optional N sub = 4;
            oneof one { N first = 5; N second = 6; } }
"""


def compiled(folder, name, text):
    path = os.path.join(folder, name + ".proto")
    with open(path, "w") as file:
        file.write(text)
    out = os.path.join(folder, name + ".desc")
    subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={out}", path], check=True)
    return out


class Compatibility(unittest.TestCase):
    def verdict(self, old, new):
        self.assertIn(old, FROZEN)
        with tempfile.TemporaryDirectory() as folder:
            frozen = compiled(folder, "frozen", FROZEN)
            now = compiled(folder, "now", FROZEN.replace(old, new))
            done = subprocess.run([sys.executable, CHECK, frozen, now], capture_output=True, text=True)
        return done.returncode, done.stdout

    def broken(self, old, new, says):
        status, out = self.verdict(old, new)
        self.assertEqual(status, 1, out)
        self.assertIn(says, out)

    def test_what_stayed_the_same_is_compatible(self):
        self.assertEqual(self.verdict("B = 1;", "B = 1;"), (0, "compatible: 12 words are as they were\n"))

    def test_what_was_added_is_listed(self):
        status, out = self.verdict("optional E e = 3;", "optional E e = 3; optional string more = 9;")
        self.assertEqual(status, 0)
        self.assertIn("1 new: t.M.more", out)

    def test_each_way_to_break_a_reader_is_found(self):
        for old, new, says in [
            ("optional uint32 n = 1;", "", "t.M.n: the field is gone"),
            ("uint32 n = 1", "uint32 n = 7", "t.M.n: number was 1 and is 7"),
            ("uint32 n = 1", "uint32 m = 1", "t.M.m: has number 1, which is t.M.n's"),
            ("uint32 n = 1", "sint32 n = 1", "t.M.n: type was TYPE_UINT32 and is TYPE_SINT32"),
            ("optional uint32 n", "repeated uint32 n", "t.M.n: label was LABEL_OPTIONAL and is LABEL_REPEATED"),
            (" [packed = true]", "", "t.M.many: packed was True and is none"),
            ("n = 1;", "n = 1 [default = 4];", "t.M.n: default was none and is 4"),
            ("B = 1;", "B = 2;", "t.E.B: number was 1 and is 2"),
            ("A = 0; B = 1;", "A = 0;", "t.E.B: the enumerator is gone"),
            ("N second = 6; }", "} optional N second = 6;", "t.M.second: oneof was one and is none"),
        ]:
            with self.subTest(new=new):
                self.broken(old, new, says)

    def test_a_file_that_is_no_schema_is_not_called_compatible(self):
        done = subprocess.run([sys.executable, CHECK, "/dev/null", "/dev/null"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
