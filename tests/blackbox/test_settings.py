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


def test_only_local_endpoints_are_listened_on():
    done = ours("--front", "tcp://0.0.0.0:5555")
    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr
