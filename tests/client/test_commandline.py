"""Command lines as Go's pflag reads them, and what is said about those that are wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.catalogue import GROUPS, TOP, Entry
from minidocker.client.commandline import Failed
from minidocker.client.flags import parse_bool, text
from minidocker.client.help import flag_lines, help_text, near
from minidocker.client.main import main
from minidocker.client.pflag import HelpWanted, WrongLine, parse
from minidocker.client.run_flags import FLAGS
from tests.client.command_lines import body_of
from tests.client.conversations import client


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("--rm=true x", "--rm x"),
        ("--rm=false x", "x"),
        ("-it x", "-i -t x"),
        ("-im64m x", "-i -m 64m x"),
        ("-m=64m x", "--memory 64m x"),
        ("--memory=64m x", "--memory 64m x"),
        ("-e=A=B x", "-e A=B x"),
        ("--net=host x", "--network host x"),
        ("--sig-proxy=false x", "x"),
        ("-i=false x", "x"),
        ("-ti=0 x", "-t x"),
    ],
)
def test_two_ways_to_write_one_line(line: str, same: str) -> None:
    assert body_of(*line.split()) == body_of(*same.split())


def test_help_is_found_before_the_image_and_belongs_to_the_program_after_it() -> None:
    with pytest.raises(HelpWanted):
        parse(["--rm", "--help", "x"], FLAGS, True)
    assert parse(["x", "--help"], FLAGS, True)[1] == ["x", "--help"]
    values, arguments = parse(["--name", "--help", "x"], FLAGS, True)
    assert (values["name"], arguments) == ("--help", ["x"])


words = st.sampled_from(
    "- -- -i -it -e A=b --rm --rm=0 --name x -m --memory=1m".split()  # noqa: SIM905
    + "--= --- -= -i= -m= --help -h -Z --rm= -itZ".split()  # noqa: SIM905
)


@given(st.lists(words, max_size=8))
def test_what_follows_the_first_argument_is_never_touched(tail: list[str]) -> None:
    assert parse(["image", *tail], FLAGS, True)[1] == ["image", *tail]
    assert parse(["--", *tail], FLAGS, False)[1] == tail


@given(st.lists(words, max_size=8))
def test_no_line_is_more_than_refused(line: list[str]) -> None:
    with contextlib.suppress(WrongLine, HelpWanted):
        parse(line, FLAGS, True)


STRINGS = [flag for flag in FLAGS if flag.kind == "string" and not flag.many]
SWITCHES = [flag for flag in FLAGS if flag.read is parse_bool]
LISTS = [flag for flag in FLAGS if flag.many and flag.read is text]


@given(st.data())
def test_a_line_made_of_values_gives_them_back(data: st.DataObject) -> None:
    """However each flag is written, long or short, with = or without."""
    line: list[str] = []
    wanted = {flag.key: flag.default for flag in FLAGS}
    for flag in data.draw(st.lists(st.sampled_from([*STRINGS, *SWITCHES, *LISTS]), max_size=6)):
        names = [f"--{flag.name}"] + ([f"-{flag.short}"] if flag.short else [])
        name = data.draw(st.sampled_from(names))
        if flag.kind == "bool":
            value: object = data.draw(st.booleans())
            said = [f"{name}={value}"] if not value or data.draw(st.booleans()) else [name]
        else:
            value = data.draw(st.text("ab-=", min_size=1))
            apart = data.draw(st.booleans())
            said = [name, str(value)] if apart else [f"{name}={value}"]
        line += said
        wanted[flag.key] = (*wanted[flag.key], value) if flag.many else value
    assert parse([*line, "image", "-x"], FLAGS, True) == (wanted, ["image", "-x"])


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("rnu", 1, "minidocker: unknown command: minidocker rnu\n\nDid you mean this?\n\trun\n"),
        ("sp", 1, "unknown command: minidocker sp\n\nRun 'minidocker --help'"),
        ("build .", 1, "there is no 'minidocker build': images are not built by this engine yet"),
        ("help foo", 1, "unknown help topic: foo"),
        ("commit", 1, "requires at least 1 and at most 2 arguments"),
        ("--tlsverify ps", 125, "minidocker speaks no TLS"),
        ("-c other ps", 125, "there are no contexts"),
        ("ps -D", 125, "unknown shorthand flag: 'D' in -D"),
        ("ps -f x", 125, 'for "-f, --filter" flag: bad format of filter (expected name=value)'),
        ("ps -n 1x", 125, 'strconv.ParseInt: parsing "1x": invalid syntax'),
        ("run --blkio-weight 70000 x", 125, "value out of range"),
        ("run --gpus all x", 125, "this engine has no driver for GPUs"),
        ("run --disable-content-trust=false x", 125, "does not check the signatures"),
        ("container lss", 1, "unknown command: minidocker container lss"),
        ("run", 1, "minidocker: 'minidocker run' requires at least 1 argument\n\nUsage:"),
        ("rename a", 1, "'minidocker rename' requires 2 arguments"),
        ("ps x", 1, "'minidocker ps' accepts no arguments"),
        ("images a b", 1, "'minidocker images' requires at most 1 argument"),
        ("run --foo x", 125, "unknown flag: --foo\n\nUsage:  minidocker run [OPTIONS] IMAGE"),
        ("run --no-such x", 125, "unknown flag: --no-such\n"),
        ("run -Z x", 125, "unknown shorthand flag: 'Z' in -Z\n"),
        ("run -m", 125, "flag needs an argument: 'm' in -m\n"),
        ("run -itm", 125, "flag needs an argument: 'm' in -m\n"),
        ("run --memory", 125, "flag needs an argument: --memory\n"),
        ("run --nmae a x", 125, "unknown flag: --nmae\nDid you mean --name"),
        ("container run -m 1x y", 125, 'invalid argument "1x" for "-m, --memory" flag'),
        ("-H foo ps", 1, "unable to parse docker host `foo`"),
        ("-H ssh://x ps", 1, "minidocker speaks over unix:// and tcp:// only"),
        ("-H unix:///no/such.sock ps", 1, "Is the daemon running?"),
        ("-H unix:///x run -e", 125, "'e' in -e\n\nUsage:  minidocker run [OPTIONS] IMAGE"),
        ("-H unix:///x run --rm=maybe", 125, "\n\nUsage:  minidocker run [OPTIONS] IMAGE"),
        ("-H unix:///x daemon stop", 1, "daemon stop does not go by -H or DOCKER_HOST"),
        ("-H unix:///x daemon status", 1, "daemon status --exec-root DIR"),
        ("run --pull foo x", 125, "invalid pull option: 'foo'"),
    ],
)
def test_a_wrong_line(line: str, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == code
    said = capsys.readouterr()
    assert text in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "line", ["--help", "container --help", "run --help", "help run", "--help image ls", "ps -h"]
)
def test_help_is_no_failure(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 0
    assert capsys.readouterr().out.startswith("Usage:  minidocker")


@pytest.mark.parametrize("line", ["", "container"])
def test_no_command_gets_help_on_standard_error(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 0
    said = capsys.readouterr()
    assert said.err.startswith("Usage:  minidocker")
    assert said.out == ""


def every_command() -> dict[str, Entry]:
    tables = {"": TOP, **{name: table for name, (_, table) in GROUPS.items()}}
    return {
        f"{group} {name}".strip(): entry
        for group, table in tables.items()
        for name, entry in table.items()
    }


def test_every_command_exists_and_explains_itself() -> None:
    for path, entry in every_command().items():
        text = help_text(path, entry)
        assert text.startswith(f"Usage:  minidocker {path} ")
        assert entry.summary in text
        for flag in entry.load().flags:
            assert f"--{flag.name}" in text


def test_a_commands_other_names_are_in_its_help() -> None:
    names = "minidocker container ls, minidocker container list, minidocker container ps"
    assert f"Aliases:\n  {names}, minidocker ps\n" in help_text("ps", TOP["ps"])


def test_help_fits_eighty_columns_where_there_is_no_terminal() -> None:
    assert max(map(len, flag_lines(FLAGS))) <= 80
    assert sum(line.startswith("      --") or line[2] == "-" for line in flag_lines(FLAGS)) == len(
        FLAGS
    )


letters = st.text("abc", min_size=3, max_size=6)


@given(letters, st.integers(0, 5), st.sampled_from("abcd"))
def test_one_slip_is_near_and_any_two_changes_of_a_letter_are_not(
    name: str, at: int, letter: str
) -> None:
    at %= len(name)
    assert near(name[:at] + letter + name[at:], [name])
    assert near(name[:at] + letter + name[at + 1 :], [name])
    assert near(name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :], [name])
    assert not near("xy" + name[2:] + "z", [name])
    assert not near(name[:2], [name])


def test_too_many_hosts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-H", "unix:///a", "-H", "unix:///b", "ps"]) == 1
    assert "only one -H" in capsys.readouterr().err


def test_a_failure_without_words_says_nothing(tmp_path: Path) -> None:
    assert str(Failed("", 143)) == ""
    assert client(tmp_path / "none", "ps").err.count("\n") == 1
