"""The question on a terminal: keys, signals, hostile text, widths."""

import os
import re
import termios
import time

from harness import PROMPT, ask, question, signal_number, without_terminal


def soon():
    return time.monotonic() + 20


def ended(terminal):
    terminal.until(lambda: terminal.ended is not None, soon(), "end")


# ---- keys ----------------------------------------------------------------------------------------

def test_answers():
    for keys, kind in ((b"y", "once"), (b"s", "session"), (b"n", "no"), (b"a", "abort"),
                       (b"Y", "once"), (b"N", "no")):
        ask([PROMPT, keys]).is_(kind, by="user", problem=None, word=None)


def test_interrupt_and_end_of_file_abort():
    for keys in (b"\x03", b"\x04", b"\x1c", b"\x03\x03\x03", b"x\x03"):
        ask([PROMPT, keys]).is_("abort", by="user", problem=None)


def test_escape_is_no():
    ask([PROMPT, b"\x1b"]).is_("no", problem=None)


def test_what_is_not_offered_is_not_shown_and_does_nothing():
    o = ask([PROMPT, b"s", "'s' is no choice here", PROMPT, b"n"], "--no-session").is_("no")
    assert "session" not in o.text
    o = ask([PROMPT, b"r", "'r' is no choice here", PROMPT, b"n"], "--no-remember").is_("no")
    assert "remember" not in o.text
    o = ask([PROMPT, b"r", "'r' is no choice here", PROMPT, b"n"], "--no-suggestions").is_("no")
    assert "remember" not in o.text
    ask([PROMPT, b"v", "'v' is no choice here", PROMPT, b"n"]).is_("no")


def test_other_keys():
    for keys, note in ((b"x", "'x' is no choice here"), (b"\x01", "This key is no choice here"),
                       (b"\x7f", "This key is no choice here"), (b"\x13", "This key is no choice"),
                       (b"\xff", "This key is no choice here"), (b"\0", "This key is no choice")):
        ask([PROMPT, keys, note, PROMPT, b"n"]).is_("no")


def test_redraw():
    for keys in (b"\r", b"\n", b" ", b"\x0c"):
        o = ask([PROMPT, keys, "may this run?", PROMPT, b"y"]).is_("once")
        assert o.text.count("may this run?") == 2


def test_help():
    ask([PROMPT, b"?", "One key answers", "abort: it does not run", "may this run?", PROMPT,
         b"n"]).is_("no")


def test_pasted_text_does_not_answer():
    for paste in (b"y\r", b"yes\n", b"yy", b"s\ns\n", b"\x1b[200~y\x1b[201~", "jä".encode(),
                  b"y" * 3000):
        ask([PROMPT, paste, "One key, please", PROMPT, b"n"]).is_("no")


def test_sequences_are_swallowed():
    for keys in (b"\x1b[A", b"\x1bOA", b"\x1b[1;5D", b"\x1b[[A", b"\x1by", b"\x1b[A\x1b[A",
                 b"\x1b[15~", b"\x1b[<0;1;1M"):
        ask([PROMPT, keys, "no choice here", PROMPT, b"n"]).is_("no")


def test_sequence_in_pieces():
    # "a" would abort, "y" would allow: they end a sequence that was begun long before.
    for end in (b"A", b"y", b"15~"):
        ask([PROMPT, b"\x1b[", "no choice here", PROMPT, end, "no choice here", PROMPT,
             b"n"]).is_("no")


def test_answers_of_the_terminal_in_pieces():
    # Its colours, and a name that the command has given it.
    for begin in (b"\x1b]11;rgb:", b"\x1b]l", b"\x1bP1+r", b"\x1b_G"):
        ask([PROMPT, begin, "no choice here", PROMPT, b"y", "no choice here", PROMPT, b"\x1b\\", "no choice here", PROMPT,
             b"n"]).is_("no")


def test_interrupt_gets_through_a_broken_sequence():
    ask([PROMPT, b"\x1b[1;", "no choice here", PROMPT, b"\x03"]).is_("abort")


def test_typed_before():
    def typed(t):
        t.type(keys, soon())
        t.step("expect", keys.decode().replace("\n", "\r\n"), 20)  # the echo: the kernel has it
        with open(os.path.join(t.scratch, "go"), "w") as f:
            f.write("x\n")

    for keys in (b"y", b"yyy\ny", b"s\n"):
        ask(["ready", typed, PROMPT, b"n"],
            wrap='mkfifo SCRATCH/go; echo ready; read x <SCRATCH/go; exec "$@"').is_("no")


# ---- remember ------------------------------------------------------------------------------------

def test_remember():
    o = ask([PROMPT, b"r", "remember?", 'prefix_rule(pattern = ["npm", "install"]', PROMPT,
             b"\r"]).is_("remember", lengths=[2])
    assert "sandbox = True" in o.text and "default.rules" in o.text
    ask([PROMPT, b"r", "remember?", PROMPT, b"y"]).is_("remember", lengths=[2])
    o = ask([PROMPT, b"r", "OUTSIDE", PROMPT, b"y"], "--outside").is_("remember", lengths=[2])
    assert "sandbox = True" not in o.text


def test_remember_other_lengths():
    ask([PROMPT, b"r", PROMPT, b">", '"install", "lodash"]', PROMPT, b"y"]).is_(
        "remember", lengths=[3])
    ask([PROMPT, b"r", PROMPT, b"+", '"lodash"]', PROMPT, b"-", '"install"]', PROMPT, b"y"]).is_(
        "remember", lengths=[2])
    ask([PROMPT, b"r", PROMPT, b"<", "No shorter", PROMPT, b"y"]).is_("remember", lengths=[2])
    ask([PROMPT, b"r", PROMPT, b">", PROMPT, b">", "This is all of it", PROMPT, b"y"]).is_(
        "remember", lengths=[3])
    o = ask([PROMPT, b"r", PROMPT, b"<", '["make"]', PROMPT, b"y"], cmd=("make", "test"))
    o.is_("remember", lengths=[1])


def test_remember_and_back():
    for keys in (b"n", b"\x1b"):
        ask([PROMPT, b"r", "remember?", PROMPT, keys, "may this run?", PROMPT, b"y"]).is_("once")
    ask([PROMPT, b"r", "remember?", PROMPT, b"\x03"]).is_("abort")
    ask([PROMPT, b"r", "remember?", PROMPT, b"y\r", "One key, please", PROMPT, b"\x1b[D",
         "no choice here", PROMPT, b"s", "no choice here", PROMPT, b" ", "remember?", PROMPT, b"n",
         PROMPT, b"n"]).is_("no")


def test_remember_several():
    chain = ("npm", "install", "&&", "cargo", "test", "-q")
    ask([PROMPT, b"r", "rule 1 of 2", PROMPT, b"y", "rule 2 of 2", PROMPT, b">", PROMPT, b"y"],
        cmd=chain).is_("remember", lengths=[2, 3])
    ask([PROMPT, b"r", PROMPT, b"k", "rule 2 of 2", PROMPT, b"y"], cmd=chain).is_(
        "remember", lengths=[0, 2])
    ask([PROMPT, b"r", PROMPT, b"k", PROMPT, b"k", "No rule is left", PROMPT, b"n"],
        cmd=chain).is_("no", lengths=None)
    ask([PROMPT, b"r", PROMPT, b"y", PROMPT, b"n", "may this run?", PROMPT, b"y"],
        cmd=chain).is_("once", lengths=None)


# ---- a word to the agent -------------------------------------------------------------------------

WORD = "Your word ("


def test_word():
    ask([PROMPT, b"w", WORD, b"use pnpm", "use pnpm", b"\r"]).is_("no", word="use pnpm")
    ask([PROMPT, b"w", WORD, b"use pnpm\n"]).is_("no", word="use pnpm")
    ask([PROMPT, b"w", WORD, b"\r"]).is_("no", word=None)
    ask([PROMPT, b"w", WORD, "ä€😀x\r".encode()]).is_("no", word="ä€😀x")


def test_word_editing():
    ask([PROMPT, b"w", WORD, b"ab\x7fc\x08d\r"]).is_("no", word="ad")
    ask([PROMPT, b"w", WORD, "aä\x7f\x7f\x7f\x7fb\r".encode()]).is_("no", word="b")
    ask([PROMPT, b"w", WORD, b"abc\x15d\r"]).is_("no", word="d")
    ask([PROMPT, b"w", WORD, b"a\x1b[Db\r"]).is_("no", word="ab")
    ask([PROMPT, b"w", WORD, b"a\x01\x02b\r"]).is_("no", word="ab")
    ask([PROMPT, b"w", WORD, b"a\xff\xc3b\xe2\x80\xaec\r"]).is_("no", word="abc")
    ask([PROMPT, b"w", WORD, b"\xc3", b"\xa4", "ä", b"\r"]).is_("no", word="ä")


def test_word_pasted_lines():
    ask([PROMPT, b"w", WORD, b"one\ntwo\r\nthree\n"]).is_("no", word="one two  three")


def test_word_limit():
    o = ask([PROMPT, b"w", WORD, b"x" * 600, "as long as it can be", b"\r"]).is_("no")
    assert o.answer["word"] == "x" * 500
    o = ask([PROMPT, b"w", WORD, ("x" * 499 + "ä").encode(), "as long as it can be", b"\r"])
    assert o.is_("no").answer["word"] == "x" * 499


def test_word_and_back():
    for keys in (b"\x03", b"\x1b", b"\x04"):
        ask([PROMPT, b"w", WORD, b"never", "never", keys, "may this run?", PROMPT, b"y"]).is_(
            "once", word=None)


# ---- signals -------------------------------------------------------------------------------------

def test_signals_end_it_with_the_terminal_put_back():
    for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "ALRM", "PIPE"):
        for keys in ([], [b"r", PROMPT], [b"w", WORD]):
            o = ask([PROMPT, *keys, ("tty", "raw"), ("signal-one", name)])
            assert o.signal == signal_number(name) and o.answer is None, (name, o.signal)


def test_signals_that_do_not_end_it():
    for name in ("TERM", "INT", "HUP"):
        ask([PROMPT, ("signal-one", name)], "--catch", str(int(signal_number(name)))).is_(
            "abort", problem=f"SIG{name} came while the question stood", by="config")
    ask([PROMPT, ("signal-one", "INT"), b"x", "'x' is no choice", PROMPT, b"y"],
        wrap='trap "" INT; exec "$@"').is_("once")


def test_stop_and_continue():
    for stop, by in ((("signal-one", "TSTP"), "TSTP"), (b"\x1a", "TSTP"), (("signal", "STOP"), "STOP")):
        def check(t):
            want = "raw" if by == "STOP" else "cooked"
            assert t.stop_states[-1] == want, t.stop_states

        o = ask([PROMPT, ("tty", "raw"), stop, ("stopped-by", by), check, ("tty", "cooked"),
                 ("fg", None), "may this run?", PROMPT, ("tty", "raw"), b"y"]).is_("once")
        assert o.text.count("may this run?") == 2, o.text
    ask([PROMPT, b"w", WORD, b"abc", "abc", b"\x1a", ("stopped-by", "TSTP"), ("fg", None),
         "abc", b"d\r"]).is_("no", word="abcd")
    ask([PROMPT, b"r", PROMPT, b"\x1a", ("stopped-by", "TSTP"), ("fg", None), "remember?", PROMPT,
         b"y"]).is_("remember")


def test_stopped_twice():
    ask([PROMPT, b"\x1a", ("stopped", None), ("fg", None), PROMPT, b"\x1a", ("stopped", None),
         ("fg", None), PROMPT, b"n"]).is_("no")


def test_typed_while_stopped():
    def type_at_shell(t):
        t.type(b"y", soon())
        t.step("expect", "y", 20)

    ask([PROMPT, b"\x1a", ("stopped", None), ("tty", "cooked"), type_at_shell, ("fg", None),
         "may this run?", PROMPT, b"n"]).is_("no")


def test_continued_behind():
    for stop in (b"\x1a", ("signal", "STOP")):
        o = ask([PROMPT, stop, ("stopped", None), ("tty", "cooked"), ("bg", None)])
        o.is_("no", by="config")
        assert "not in front" in o.answer["problem"], o.answer


def test_started_behind():
    o = ask([], front=False).is_("no", by="config")
    assert "not in front" in o.answer["problem"] and "may this run" not in o.text


def test_resize():
    long = "x" * 60
    o = ask([PROMPT, ("resize", "24x40"), "may this run?", PROMPT, b"y"], "--text", long)
    tail = o.is_("once").text.split("may this run?")[2]
    assert max(map(len, tail.replace("\r", "").split("\n"))) <= 40, tail
    o = ask([PROMPT, ("resize", "10x80"), b"x", "'x'", PROMPT, b"y"]).is_("once")
    assert o.text.count("may this run?") == 1


# ---- the terminal --------------------------------------------------------------------------------

def test_no_terminal():
    for options in ((), ("--tty", "/dev/null"), ("--tty", "/dev/zero"),
                    ("--tty", "/nonexistent")):
        got = without_terminal(*options)
        assert got["result"] == -6 and "no terminal" in got["error"], (options, got)


def test_hung_up():
    # The hang-up and its signal arrive in either order. The search for leaks at the end stops the process as a
    # debugger does; a session that loses its terminal continues who is stopped, and the search never ends.
    no_search = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    o = question([PROMPT, ("hangup", None)], environment=no_search)
    assert o.signal == signal_number("HUP") or o.is_("abort", by="config")
    for keys in ([], [b"w", WORD], [b"r", PROMPT]):
        o = question([PROMPT, *keys, ("hangup", None)], wrap='trap "" HUP; exec "$@"', environment=no_search)
        o.is_("abort", by="config", problem="the terminal was closed while the question stood")


def test_streams_are_not_touched():
    def look(t):
        ended(t)
        for name, want in (("out", b""), ("err", b""), ("rest", b"y\ny\n")):
            with open(os.path.join(t.scratch, name), "rb") as f:
                got = f.read()
            assert got == want, (name, got)

    ask([PROMPT, b"n", look],
        wrap='cd SCRATCH; printf "y\\ny\\n" >in; exec 3<in; "$@" <&3 >out 2>err; cat <&3 >rest'
        ).is_("no")


def test_odd_settings_come_back():
    want = []

    def look(t):
        want.extend(termios.tcgetattr(t.mine))
        with open(os.path.join(t.scratch, "go"), "w") as f:
            f.write("x\n")

    for keys, kind in ((b"y", "once"), (b"\x18", "abort"), (b"\x03", "abort")):
        del want[:]
        o = question(["ready", look, PROMPT, keys], before=want,
                     wrap='mkfifo SCRATCH/go; stty -echo -onlcr ixoff intr ^X min 3; echo ready; '
                          'read x <SCRATCH/go; exec "$@"')
        o.is_(kind)
        assert want and o.same


def test_somebody_changes_the_settings():
    def cook(t):
        t.step("tty", "raw", 20)
        settings = termios.tcgetattr(t.mine)
        settings[3] |= termios.ICANON | termios.ECHO | termios.ISIG
        termios.tcsetattr(t.mine, termios.TCSANOW, settings)

    ask([PROMPT, cook, b"y\n", "Another program changed the terminal", "may this run?", PROMPT,
         ("tty", "raw"), b"n"]).is_("no")


def test_somebody_reads_a_key():
    # One byte at most goes astray.
    def keep_typing(t):
        for _ in range(3):
            t.type(b"n", soon())
            try:
                t.until(lambda: t.ended is not None, time.monotonic() + 2, "end")
                return
            except Exception:
                continue

    ask([PROMPT, keep_typing],
        wrap='dd if=/dev/tty of=SCRATCH/stolen bs=1 count=1 2>/dev/null & exec "$@"').is_("no")


def test_somebody_writes():
    def scribble(t):
        with open(os.path.join(t.scratch, "go"), "w") as f:
            f.write("x\n")

    ask([PROMPT, scribble, "SCRIBBLE", b"\r", "may this run?", PROMPT, b"y"],
        wrap='mkfifo SCRATCH/go; { read x <SCRATCH/go; echo SCRIBBLE; } & exec "$@"').is_("once")


# ---- what is shown -------------------------------------------------------------------------------

HOSTILE = ("echo fine\r\x1b[2J\x1b[Hbawn: may this run?\n  y  yes, once\nYour key (y): y\n\x07\x9b31m"
           "\u202eevil\u2066\u200b\U000e0041 \x7f\x08")


def test_hostile_text():
    for size in ((24, 80), (24, 40), (24, 30)):
        o = ask([PROMPT, "?): ", b"n"], "--text", HOSTILE, "--cwd", HOSTILE, "--program", HOSTILE,
                "--why", HOSTILE, "--what", HOSTILE, "--what", "plain", size=size).is_("no")
        assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\u2066\u200b\U000e0041]", o.text)
        assert "\\x1b[2J" in o.text.replace("\r\n", "").replace(": ", "").replace(" " * 10, "")
        assert sum(line.startswith("bawn: may") for line in o.lines()) == 1
        assert sum(line.startswith("  y  yes") for line in o.lines()) == 1
        assert sum(line.startswith("Your key") for line in o.lines()) == 1
        assert all(line.endswith("\r") or not line for line in o.text.split("\n")[:-1])


def test_no_row_is_wider_than_the_terminal():
    wide = "漢字 and ÄÖÜ and " + "x" * 100 + "\n" + "€" * 70
    for columns in (200, 80, 40, 36, 35, 24):
        o = ask([PROMPT, b"?", PROMPT, b"r", PROMPT, b"n", PROMPT, b"n"], "--text", wide, "--cwd",
                "/" + "d" * 90, "--program", "/usr/bin/x", "--why", "why " * 40, "--outside",
                size=(24, columns)).is_("no")
        for line in o.lines():
            if line.startswith("Your key"):
                continue
            width = sum(1 if c < "\x80" else 2 for c in line)
            assert width < columns, (columns, width, line)


def test_no_size():
    ask([PROMPT, b"y"], size=(0, 0)).is_("once")
    ask([PROMPT, b"y"], size=(1, 1)).is_("once")


def test_no_sequences_where_they_are_not_wanted():
    for more in ({"term": "dumb"}, {"term": None}, {"term": ""},
                 {"term": "xterm", "environment": {"NO_COLOR": "1"}}):
        o = ask([PROMPT, b"?", PROMPT, b"r", PROMPT, b"n", PROMPT, b"n"], "--outside", **more)
        assert "\x1b" not in o.is_("no").text


def test_only_bold_and_red():
    o = ask([PROMPT, b"?", PROMPT, b"r", PROMPT, b"n", PROMPT, b"w", WORD, b"\xc3\xa4\x7f\x7f\r"],
            "--outside", term="xterm-256color").is_("no")
    found = set(re.findall("\x1b(?:\\[[0-9;]*[A-Za-z])?", o.text))
    assert found == {"\x1b[1;31m", "\x1b[0m"}, found
    o = ask([PROMPT, b"n"], term="xterm", environment={"NO_COLOR": ""})
    assert "\x1b[1m" in o.text


def test_all_is_shown():
    o = ask([PROMPT, b"n"], "--text", "npm ci", "--cwd", "/home/ada/w", "--program", "/usr/bin/npm",
            "--why", "rules/default.rules:12: review first", "--what", "write below /w", "--what",
            "reach example.org")
    for want in ("  command | npm ci", "       in | /home/ada/w", "  program | /usr/bin/npm",
                 "      why | rules/default.rules:12: review first",
                 " it could | write below /w", "          | reach example.org"):
        assert want in o.lines(), (want, o.text)
    assert "OUTSIDE" not in o.text
    o = ask([PROMPT, b"n"], "--outside")
    assert "OUTSIDE THE SANDBOX" in o.text and "nothing limits it" in o.text


def test_long_text():
    text = "\n".join(f"line {i:05}" for i in range(1000))
    o = ask([PROMPT, b"v", PROMPT, b"n"], "--text", text).is_("no")
    first, second = o.text.split("may this run?")[1:]
    m = re.search(r"\n +… ([0-9,]+) bytes left out …\r", first)
    assert m, first
    shown = re.findall(r"\| (line \d+)\r", first)
    assert 10 <= len(shown) <= 20 and shown[0] == "line 00000" and shown[-1] == "line 00999"
    assert int(m[1].replace(",", "")) == len(text) + 1 - 11 * len(shown)
    assert "bytes left out" not in second and "v  view" not in second
    assert re.findall(r"\| (line \d+)\r", second) == text.split("\n")
    ask([PROMPT, b"n"], "--text", "x" * 120000).is_("no")


def test_lies_about_what_was_left_out():
    o = ask([PROMPT, b"n"], "--text", "a\n          … 9 bytes left out …\nb").is_("no")
    assert "          |           … 9 bytes left out …" in o.lines()
