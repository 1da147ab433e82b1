"""What the settings file in the repository says is what the program does."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISTLED = ROOT / "build/release/bin/whistled"


def ours(*arguments):
    return subprocess.run([WHISTLED, *arguments], capture_output=True, text=True, timeout=20)


def test_the_settings_file_is_what_print_config_prints():
    written = (ROOT / "config/whistled.yaml").read_text().split("\n\n", 1)[1]
    assert written == ours("--print-config").stdout


def test_the_settings_file_can_be_read_back():
    done = ours(str(ROOT / "config/whistled.yaml"), "--print-config")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ours("--print-config").stdout


def test_both_sets_of_rules_are_good():
    for name in ("qindu", "drill"):
        done = ours("--check", "--config", str(ROOT / "config" / name))
        assert done.returncode == 0, done.stderr
        assert ": good: " in done.stdout


def test_a_wrong_flag_is_named_with_the_nearest_right_one():
    done = ours("--leese-ms", "10s")
    assert done.returncode == 2
    assert "--leese-ms" in done.stderr and "--lease_ms" in done.stderr


def test_a_value_out_of_bounds_and_one_that_cannot_be_read_are_told_apart():
    assert "out of bounds" in ours("--lease-ms", "1ms").stderr
    assert "cannot be read" in ours("--lease-ms", "soon").stderr


def test_a_wrong_value_is_answered_with_what_would_be_right():
    for words in (["--lease-ms", "soon"], ["--lease-ms=1ms"], ["--lease-ms"], ["--lease-ms", "--drill"]):
        done = ours(*words)
        assert done.returncode == 2 and "a time with its unit, such as 30s, from 1s to 10min" in done.stderr, words
    assert "true or false" in ours("--verify-full", "yes").stderr


def test_a_flag_without_its_value_takes_no_other_flag_for_it(tmp_path):
    """It would become the name of a directory."""
    done = subprocess.run([WHISTLED, "--data", "--drill"], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert done.returncode == 2 and "--data: needs a value" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_settings_file_stands_where_one_likes_and_a_value_may_follow_an_equals_sign(tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text(f"config: {ROOT}/config/qindu\n")
    for words in ([file, "--check"], ["--check", file], ["--lease-ms", "5s", file, "--check"],
                  ["--lease-ms=5s", "--check", file]):
        done = ours(*words)
        assert done.returncode == 0 and f"{ROOT}/config/qindu: good: " in done.stdout, (words, done)
    assert "lease_ms: 5s\n" in ours("--lease-ms=5s", file, "--print-config").stdout
    assert "not understood" in ours(file, "another.yaml").stderr


def test_a_check_looks_at_the_endpoints_too():
    done = ours("--check", "--config", str(ROOT / "config/qindu"), "--pool", "front")
    assert done.returncode == 2 and "front: not listened on; use ipc:///PATH" in done.stderr


def test_only_local_endpoints_are_listened_on():
    done = ours("--front", "tcp://0.0.0.0:5555")
    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr
