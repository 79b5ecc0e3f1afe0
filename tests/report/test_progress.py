import time

import pytest

from kpalette.report.progress import ProgressBar, duration


def test_without_a_terminal_there_are_lines(capsys):
    with ProgressBar(total=3) as bar:
        bar.say("[begin]")
        for done in range(3):
            bar.update(done + 1, note="unseen", line=f"[{done + 1}/3] a picture")
        bar.update(3)
    assert capsys.readouterr() == ("", "[begin]\n[1/3] a picture\n[2/3] a picture\n[3/3] a picture\n")


def test_lines_keep_their_distance(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ProgressBar(interval=10.0) as bar:
        for now in (5.0, 11.0, 20.0, 21.0):
            bar.update(1, total=4, line=f"{now:g} seconds")
    assert capsys.readouterr().err == "11 seconds\n21 seconds\n"


def test_a_terminal_shows_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes standard error for a terminal
    with ProgressBar(total=2) as bar:
        bar.say("above")
        bar.update(1, note="[half]", line="no line")
    shown = capsys.readouterr().err
    assert "no line" not in shown
    for part in ("above", "1/2", "[half]"):
        assert part in shown


def test_quiet_says_nothing(capsys):
    with ProgressBar(total=1, quiet=True) as bar:
        bar.say("a line")
        bar.update(1, line="1 of 1")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 seconds"), (89, "89 seconds"), (90, "2 minutes"), (9000, "2.5 hours")]
)
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text
