"""The manual pages are good pages, name every key, and TAB in a real bash shows what the programs take."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build/release/bin"
PAGES = sorted(path for path in (ROOT / "man").rglob("*") if re.fullmatch(r"\.[1-8]", path.suffix))

COMPLETE = r"""
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_whistle
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(*words, cwd=ROOT):
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", ROOT / "completions/whistle.bash", *words],
                          capture_output=True, text=True, timeout=20, cwd=cwd, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_every_program_and_file_has_its_page():
    assert {str(path.relative_to(ROOT / "man")) for path in PAGES} == {
        "whistle.7", "whistle-rules.5", "whistle-worker.1", "whistlectl.1", "whistled.8", "whistled.yaml.5",
        "zh_CN/whistlectl.1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT / "man")))
def test_two_readers_of_pages_have_nothing_to_say(page):
    for reader in (["mandoc", "-Tlint"], ["groff", "-ww", "-mzh", "-man", "-Tutf8", "-Kutf8"]):
        done = subprocess.run([*reader, page], capture_output=True, text=True, timeout=20)
        said = done.stdout if reader[0] == "mandoc" else done.stderr
        assert (done.returncode, said) == (0, "")


def test_every_key_of_the_rules_is_on_their_page():
    page = (ROOT / "man/whistle-rules.5").read_text()
    said = {word for line in page.splitlines() if line.startswith((".B ", ".BR ")) for word in re.findall(r"\w+", line)}
    keys = set()
    for path in (ROOT / "daemon/config").glob("*.c"):
        keys |= set(re.findall(r'^ +\{"(\w+)", \w*read\w*, ', path.read_text(), re.M))
    assert len(keys) > 70
    assert keys <= said, sorted(keys - said)


def test_a_command_is_completed_word_by_word():
    assert {"report", "extend", "bulk", "return", "verify"} <= set(complete("whistlectl", ""))
    assert complete("whistlectl", "ext") == ["extend"]
    assert complete("whistlectl", "extend", "") == ["ask", "grant", "refuse"]
    assert complete("whistlectl", "--json", "--lang", "zh", "bulk", "c") == ["close", "confirm", "correct"]
    assert complete("whistlectl", "returns", "d") == ["daily"]


def test_options_are_those_of_the_command_and_of_all():
    assert complete("whistlectl", "extend", "ask", "1", "--l") == ["--limit", "--lang"]
    assert complete("whistlectl", "status", "--d") == ["--digest"]
    assert "--version" in complete("whistlectl", "--")
    assert "--version" not in complete("whistlectl", "status", "--")


def test_words_that_are_one_of_a_few_are_completed():
    assert complete("whistlectl", "suspend", "1", "--why", "") == [
        "engineering", "season", "litigation", "funding", "absent"]
    assert complete("whistlectl", "escalate", "1", "--to-level", "=", "d") == ["district"]
    assert complete("whistlectl", "answer", "610402-20260214-00123", "") == ["accept", "done", "decline"]
    assert complete("whistlectl", "drain", "o") == ["on", "off"]
    assert complete("whistlectl", "--lang", "") == ["zh", "en"]


def test_a_condition_is_completed_with_its_value():
    assert complete("whistlectl", "bulk", "void", "--where", "st") == ["state="]
    assert complete("whistlectl", "bulk", "void", "--where", "state", "=", "ha") == ["handling"]
    assert "overdue" in complete("whistlectl", "bulk", "void", "--where", "")


def test_numbers_of_cases_and_parties_are_not_completed():
    for words in (["show", ""], ["answer", ""], ["tell", "6"], ["merge", "1", "--into", ""], ["inbox", ""]):
        assert complete("whistlectl", *words) == []


def test_files_and_folders_are_completed(tmp_path):
    (tmp_path / "store one").mkdir()
    (tmp_path / "store.csv").touch()
    assert complete("whistlectl", "verify", "sto", cwd=tmp_path) == ["store", "one"]
    assert complete("whistlectl", "restore", "x", "--slots", "store.", cwd=tmp_path) == ["store.csv"]
    assert complete("whistled", "store.", cwd=tmp_path) == ["store.csv"]


def test_the_other_programs_are_completed_too():
    assert complete("whistled", "--check", "--lease") == ["--lease-ms"]
    assert complete("whistled", "--verify-full", "") == ["true", "false"]
    assert complete("/usr/bin/whistle-worker", "--level", "") == ["community", "street", "district"]
    assert complete("whistle-worker", "--pro") == ["--program"]


def test_what_is_completed_is_taken():
    """Every option that is offered for a command is one that the command's own help names."""
    for command in complete("whistlectl", ""):
        seconds = complete("whistlectl", command, "") if subprocess.run(
            [BIN / "whistlectl", command, "x", "--help"], capture_output=True).returncode == 2 else []
        for words in [[command, second] for second in seconds] or [[command]]:
            help_text = subprocess.run([BIN / "whistlectl", *words, "--help"], capture_output=True, text=True, check=True)
            offered = complete("whistlectl", *words, "--")
            assert set(offered) == set(re.findall(r"^  (--[a-z-]+)", help_text.stdout, re.M)), words


def test_make_install_puts_pages_and_completion_where_they_are_looked_for(tmp_path):
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, check=True,
                   capture_output=True, timeout=300)
    share = tmp_path / "usr/share"
    for page in PAGES:
        folder = page.parent.relative_to(ROOT / "man")
        assert (share / "man" / folder / f"man{page.suffix[1]}" / page.name).read_bytes() == page.read_bytes()
    for program in ("whistlectl", "whistled", "whistle-worker"):
        assert "complete -F _whistle" in (share / "bash-completion/completions" / program).read_text()
