"""Files of people to call: what is dialled, what is not and why, and where."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.dialing.csv_lines import BadFile, Fault, header, lines
from ringback.executions.stencil import Line

A, B = "+14155550123", "+14155550124"


def read(content: bytes, size: int = 7) -> list[Line | Fault]:
    return list(lines(chunks(content, size)))


def chunks(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def rows(content: bytes) -> list[tuple[int, str | None, dict[str, str] | str]]:
    """line, number, and the data or the reason."""
    return [
        (read.line, read.number, read.reason if isinstance(read, Fault) else dict(read.data))
        for read in read(content)
    ]


def reason(line: bytes) -> str:
    """Of the fault in the one line after a header of two columns."""
    [fault] = read(b"contact_number,name\n" + line, 65_536)
    assert isinstance(fault, Fault)
    return fault.reason


def test_the_other_columns_are_data() -> None:
    content = f"name, contact_number ,day\nAda,{A},Monday\nGrace,{B},\n".encode()
    assert rows(content) == [(2, A, {"name": "Ada", "day": "Monday"}), (3, B, {"name": "Grace", "day": ""})]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(end: str, mark: bytes) -> None:
    content = mark + end.join(["contact_number,name", f"{A},Zoë", f"{B},x"]).encode()
    for size in range(1, 9):
        found = read(content, size)
        assert [(line.line, line.number) for line in found] == [(2, A), (3, B)]
        assert found[-1].end_byte == len(content)
        assert content[: found[0].end_byte].decode("utf-8-sig").endswith(f"Zoë{end}")


def test_quotes_commas_and_line_ends_within_a_field() -> None:
    content = f'contact_number,note\r\n{A},"a, ""b""\r\nc\nd"\r\n{B},e\r\n'.encode()
    assert rows(content) == [(2, A, {"note": 'a, "b"\r\nc\nd'}), (5, B, {"note": "e"})]


@pytest.mark.parametrize(
    "written", [f"'{A}", f"\u2019{A}", f"  {A} ", "+1 415 555 0123", f"\u00a0{A}", f"' {A}"]
)
def test_apostrophe_of_excel_and_spaces(written: str) -> None:
    assert rows(f"contact_number\n{written}\n".encode()) == [(2, A, {})]


def test_an_apostrophe_in_other_columns_stays() -> None:
    assert rows(f"contact_number,name\n{A},'s Gravenhage\n".encode()) == [(2, A, {"name": "'s Gravenhage"})]


def test_empty_lines_are_no_lines() -> None:
    content = f"contact_number,name\n\n{A},x\n,\n  ,\n\r\n{B},y\n\n".encode()
    assert [(line, number) for line, number, _ in rows(content)] == [(3, A), (7, B)]


def test_a_file_of_empty_lines_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.dialing.csv_lines._MOST_EMPTY", 10)
    empty = ",\n" * 10
    assert len(rows(f"contact_number,x\n{A},\n{empty}{B},\n".encode())) == 2
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b"contact_number,x\n"
        while True:
            taken += 1
            yield b",\n"

    with pytest.raises(BadFile, match="more than 10 empty lines"):
        list(lines(endless()))
    assert taken < 20


def test_a_short_line_has_empty_columns_and_a_nameless_column_is_left_out() -> None:
    assert rows(f"contact_number,name,\n{A}\n{B},x,y\n".encode()) == [
        (2, A, {"name": ""}),
        (3, B, {"name": "x"}),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"14155550123,x", "not in E.164 form"),
        (b"+04155550123,x", "not in E.164 form"),
        (b"+1415555012345678,x", "not in E.164 form"),
        ("+1415555\u0661,x".encode(), "not in E.164 form"),
        (b"9.19877E+11,x", "rounded by a spreadsheet"),
        (b",x", "contact_number is empty"),
        (b"+14155550123,x,y", "it has 3 fields, the header has 2"),
        (b"+14155550123,a\0b", "a NUL character"),
        (b"+14155550123,Z\xfcrich", "not UTF-8 text: byte 15 of the line is 0xfc"),
        (b'+14155550123,"a"b', "quotation mark stands in the middle"),
        (b'+14155550123,"a', "not properly closed"),
        (b"+14155550123," + b"x" * 65_537, "more than 65,536 characters"),
        (b"+14155550123," + b"x" * 200_000, "more than 65,536 characters"),
        (b"+14155550123," + b"x" * 1_100_000, "more than 1,048,576 bytes"),
    ],
)
def test_a_bad_line_says_why_and_costs_nobody_else(line: bytes, said: str) -> None:
    assert said in reason(line)
    content = b"contact_number,name\n" + line + f"\n{B},good\n".encode()
    size = 7 if len(line) < 1000 else 65_536
    fault, after = read(content, size)
    assert isinstance(fault, Fault)
    assert fault.line == 2
    assert after == Line(3, B, {"name": "good"}, len(content))


def test_a_field_of_65536_characters_is_read() -> None:
    [line] = read(f"contact_number,name\n{A},{'é' * 65_536}\n".encode(), 1000)
    assert isinstance(line, Line)
    assert len(line.data["name"]) == 65_536


def test_an_open_quote_does_not_swallow_the_lines_after_it() -> None:
    content = f'contact_number,name\n{A},"open\n{B},x\n'.encode() + b"+14155550199,y\n" * 20_000
    fault, *rest = read(content, 65_536)
    assert isinstance(fault, Fault)
    assert (fault.line, fault.end_byte) == (2, content.index(B.encode()))
    assert [line.line for line in rest] == list(range(3, 20_004))


def test_a_fault_shows_the_beginning_of_what_stood_there() -> None:
    [(_, number, _)] = rows(b"contact_number\n" + b"call me " * 100)
    assert number == "call me " * 8


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column contact_number"),
        (b"\n", "no column contact_number"),
        (b"number,name\n", "no column contact_number"),
        (b"contact_number;name\n", "separated by commas"),
        (b"contact_number,name,name\n", "two columns name"),
        (b'"contact_number\n', "Line 1, the header, can't be read"),
        (b"contact_number\xff\n", "not UTF-8"),
        ("contact_number\n".encode("utf-16"), "UTF-16"),
        (b"contact_number" + b",x" * 1000, "more than 1,000 columns"),
    ],
)
def test_a_file_without_a_usable_header(content: bytes, said: str) -> None:
    for size in (1, 4096):
        with pytest.raises(BadFile, match=said):
            list(lines(chunks(content, size)))
        with pytest.raises(BadFile, match=said):
            header(chunks(content, size))


def test_header_names_the_columns() -> None:
    assert header([b"contact_number, name,\n+1"]) == ("contact_number", "name", "")


def test_a_header_alone_is_an_empty_batch() -> None:
    assert read(b"contact_number,name") == []


def test_lines_are_read_as_they_are_asked_for() -> None:
    """A file of any length is never in memory as a whole."""
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        yield b"contact_number\n"
        while True:
            asked += 1
            yield b"+14155550123\n" * 10

    reading = lines(endless())
    for _ in range(1000):
        next(reading)
    assert asked <= 101


_FIELD = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)


@given(st.lists(_FIELD, max_size=8), st.integers(1, 50), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_back(names: list[str], size: int, end: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["contact_number", "name"])
    writer.writerows([A, name] for name in names)
    content = text.getvalue().encode()
    found = read(content, size)
    assert [line.data for line in found if isinstance(line, Line)] == [{"name": name} for name in names]
    ends = [line.end_byte for line in found]
    assert ends == sorted(ends)
    assert not ends or ends[-1] == len(content)


@given(st.binary(max_size=200), st.integers(1, 30))
def test_no_bytes_break_the_reader_and_chunks_do_not_matter(garbage: bytes, size: int) -> None:
    content = b"contact_number,name\n" + garbage
    found = read(content, size)
    assert found == read(content, len(content))
    numbers = [line.line for line in found]
    assert numbers == sorted(set(numbers))
    assert all(len(content) >= line.end_byte > 20 for line in found)
