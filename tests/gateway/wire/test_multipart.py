from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire import multipart
from gateway.wire.multipart import NewField

_NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\\r\n%', exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=20,
).map(str.strip)
_FIELDS = st.lists(
    st.builds(
        NewField,
        name=_NAMES.filter(bool),
        data=st.binary(max_size=200) | st.sampled_from([b"", b"\r\n", b"--", b"\r\n--x--\r\n", b"\r\n\r\n"]),
        filename=st.none() | _NAMES,
        content_type=st.none() | st.sampled_from(["image/png", "text/plain; charset=utf-8"]),
    ),
    max_size=6,
)
TYPE = "multipart/form-data; boundary=XX"
FORM = (
    b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nmock/a\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nab\r\ncd\r\n'
    b"--XX--\r\n"
)


@given(_FIELDS)
def test_what_is_written_is_read_again(fields: list[NewField]) -> None:
    body, content_type = multipart.write(fields)
    form = multipart.parse(body, content_type)
    read = [NewField(one.name, form.data(one), one.filename, one.content_type) for one in form.fields]
    assert read == fields
    if fields:
        assert multipart.parse_again(body).fields == form.fields


@given(_FIELDS, st.text(st.characters(codec="utf-8"), max_size=20))
def test_changing_a_field_leaves_all_others_as_they_are(fields: list[NewField], model: str) -> None:
    fields = [field for field in fields if field.name != "model"]
    body, content_type = multipart.write([*fields, NewField("model", b"old")])
    if multipart.parse(body, content_type).boundary in model.encode():
        return
    form = multipart.parse(body, content_type)
    field = form.named("model")[0]
    changed = form.with_text("model", model)
    assert changed == body[: field.start] + model.encode() + body[field.end :]
    again = multipart.parse(changed, content_type)
    assert again.text("model") == model
    assert [again.data(one) for one in again.fields[:-1]] == [field.data for field in fields]


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_noise(noise: bytes) -> None:
    for body in (noise, b"--XX" + noise, b"--XX\r\n" + noise + b"\r\n--XX--"):
        try:
            form = multipart.parse(body, TYPE)
        except InvalidRequest:
            continue
        assert all(0 <= one.start <= one.end <= len(body) for one in form.fields)


@given(st.integers(0, len(FORM) - 1))
def test_no_form_that_breaks_off_is_read(length: int) -> None:
    if FORM[:length].endswith(b"--XX--") or FORM[:length].endswith(b"--XX--\r"):
        return
    with pytest.raises(InvalidRequest):
        multipart.parse(FORM[:length], TYPE)


def test_a_field_that_is_not_there_is_put_in_front() -> None:
    form = multipart.parse(FORM, TYPE)
    longer = form.with_text("language", "en")
    assert longer.endswith(FORM)
    assert multipart.parse(longer, TYPE).text("language") == "en"


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="XX"',
        "Multipart/Form-Data;boundary=XX",
        "multipart/form-data; charset=utf-8; boundary=XX",
        "multipart/form-data; boundary=XX; charset=utf-8",
    ],
)
def test_ways_to_name_the_boundary(content_type: str) -> None:
    form = multipart.parse(FORM, content_type)
    (file,) = form.named("file")
    assert (form.text("model"), form.data(file)) == ("mock/a", b"ab\r\ncd")
    assert (file.filename, file.content_type) == ("a.wav", "audio/wav")


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (FORM, "application/json", "content-type must be"),
        (FORM, "multipart/form-data", "no valid boundary"),
        (FORM, "multipart/form-data; boundary=" + "X" * 71, "no valid boundary"),
        (FORM, "multipart/form-data; boundary=YY", "does not begin with the boundary"),
        (b"preamble\r\n" + FORM, TYPE, "does not begin with the boundary"),
        (FORM + b"more", TYPE, "something follows"),
        (b'--XX\r\nContent-Disposition: form-data; name="a"\r\n--XX--', TYPE, "no end of its headers"),
        (b"--XX\r\nContent-Type: text/plain\r\n\r\na\r\n--XX--", TYPE, "no content-disposition"),
        (b"--XX\r\nContent-Disposition: form-data; filename=a\r\n\r\na\r\n--XX--", TYPE, "with a name"),
        (
            b'--XX\r\nContent-Disposition: attachment; name="a"\r\n\r\na\r\n--XX--',
            TYPE,
            "no content-disposition",
        ),
        (b"--XX\r\nnothing\r\n\r\na\r\n--XX--", TYPE, "is none"),
        (b"--XXX\r\n\r\n--XX--", TYPE, "not followed by a line end"),
        (
            b"--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\na\r\n--XX--",
            TYPE,
            "content-transfer-encoding",
        ),
    ],
)
def test_what_is_wrong_is_said(body: bytes, content_type: str, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        multipart.parse(body, content_type)


def test_there_are_bounds() -> None:
    part = b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    with pytest.raises(InvalidRequest, match="more than 256 fields"):
        multipart.parse(part * 257 + b"--XX--", TYPE)
    with pytest.raises(InvalidRequest, match="no end of its headers"):
        multipart.parse(b"--XX\r\nX: " + b"a" * 9000 + b"\r\n\r\n\r\n--XX--", TYPE)


def test_a_field_that_may_come_once() -> None:
    form = multipart.parse(
        *multipart.write([NewField("n", b"1"), NewField("n", b"2"), NewField("t", b"\xff")])
    )
    with pytest.raises(InvalidRequest, match="holds it 2 times"):
        form.text("n")
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        form.text("t")
    assert form.text("other") is None


def test_a_quote_in_a_name_is_escaped() -> None:
    body, content_type = multipart.write([NewField("file", b"", filename='a"\r\nb\\c.png')])
    (field,) = multipart.parse(body, content_type).fields
    assert field.filename == "a%22%0D%0Ab\\c.png"
