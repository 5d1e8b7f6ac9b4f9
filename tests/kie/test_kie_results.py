"""Which addresses may be fetched, what their bytes are, and where in a record they stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.kie.result_files import ResultHosts, content_type_of, name_for
from trt.kie.result_urls import find_result_urls

A, B = "https://cdn.test/a.png", "https://cdn.test/b.png"
HOSTS = ResultHosts(["cdn.test", "127.0.0.1"], "https://api.kie.test")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/a.png",
        "https://cdn.test.evil.test/a.png",
        "https://evilcdn.test/a.png",
        "http://cdn.test/a.png",
        "https://cdn.test:8443/a.png",
        "https://user:pass@cdn.test/a.png",
        "https://cdn.test@evil.test/a.png",
        "http://localhost/a.png",
        "ftp://cdn.test/a.png",
        "file:///etc/passwd",
        "https://[::1",
        "not an address",
        "",
    ],
)
def test_other_addresses_may_not_be_fetched(url: str) -> None:
    assert HOSTS.problem(url) is not None


@pytest.mark.parametrize(
    "url", ["https://cdn.test/a", "http://127.0.0.1:8081/a", "https://api.kie.test/results/a"]
)
def test_listed_hosts_loopback_and_the_apis_own_may_be_fetched(url: str) -> None:
    assert HOSTS.problem(url) is None


@pytest.mark.parametrize(
    ("data", "declared", "content_type", "name"),
    [
        (b"\x89PNG\r\n\x1a\n0", "text/html", "image/png", "result.png"),
        (b"\xff\xd8\xff\xe0", "", "image/jpeg", "result.jpg"),
        (b"RIFF0000WEBPVP8 ", "", "image/webp", "result.webp"),
        (b"GIF89a", "", "image/gif", "result.gif"),
        (b"\x00\x00\x00\x20ftypisom", "", "video/mp4", "result.mp4"),
        (b"\x00\x00\x00\x20ftypM4A ", "", "audio/mp4", "result.m4a"),
        (b"\x1a\x45\xdf\xa3", "", "video/webm", "result.webm"),
        (b"ID3\x04", "", "audio/mpeg", "result.mp3"),
        (b"\xff\xfb\x90", "", "audio/mpeg", "result.mp3"),
        (b"RIFF\n\n\n\nWAVEfmt ", "", "audio/wav", "result.wav"),
        (b"OggS", "", "audio/ogg", "result.ogg"),
        (b"fLaC", "audio/flac; x=1", "audio/flac", "result.flac"),
        (b"PK\x03\x04", "application/octet-stream", "application/octet-stream", "result.bin"),
    ],
)
def test_a_file_is_what_its_first_bytes_say(
    data: bytes, declared: str, content_type: str, name: str
) -> None:
    assert content_type_of(data, declared) == content_type
    assert name_for(content_type) == name


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (b"", "image/png"),
        (b"<!doctype html><html>", "image/png"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><Error/>", "video/mp4"),
        (b'{"code":404}', "application/octet-stream"),
        (b"gone", "text/plain"),
        (b"gone", ""),
        (b"%PDF", "application/pdf"),
    ],
)
def test_pages_and_texts_are_never_a_result(data: bytes, declared: str) -> None:
    assert content_type_of(data, declared) is None


@pytest.mark.parametrize(
    ("record", "urls"),
    [
        ({"resultJson": json.dumps({"resultUrls": [A, B]})}, (A, B)),
        ({"resultJson": {"resultUrls": [A, A]}}, (A,)),
        ({"resultJson": "", "response": {"resultUrls": [A]}}, (A,)),
        ({"resultJson": json.dumps({"resultUrls": json.dumps([A])})}, (A,)),
        ({"resultJson": {"resultUrls": [A], "firstFrameUrl": B}}, (A,)),
        ({"resultJson": {"resultObject": {"mask_urls": [A, {"x": B}]}}}, (A, B)),
        (
            {
                "response": {
                    "data": [{"audio_url": A, "image_url": "https://x/c"}, {"audio_url": B}]
                }
            },
            (A, B),
        ),
        ({"resultJson": {"resultUrls": [], "resultWaterMarkUrls": [A]}}, (A,)),
        ({"resultJson": {"resultUrls": [B], "resultWaterMarkUrls": [A]}}, (B,)),
        ({"info": {"result_urls": [A]}}, (A,)),
        ({"resultUrls": [A]}, (A,)),
        ({"resultJson": {"resultUrls": ["//cdn.test/a.png"]}}, (A,)),
        ({"resultJson": {"resultUrls": [None, 5, "", "ftp://x", A]}}, (A,)),
        ({"resultJson": json.dumps([A])}, (A,)),
        ({"param": json.dumps({"input": {"image_urls": [A]}}), "resultJson": None}, ()),
        ({"resultJson": "{broken", "response": None}, ()),
        ({"resultJson": {"resultObject": {"text": "a transcript"}}}, ()),
    ],
)
def test_addresses_are_found_in_every_shape(
    record: dict[str, object], urls: tuple[str, ...]
) -> None:
    assert find_result_urls(record) == urls


VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from([A, "x", '{"resultUrls": 5}', "[1]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["resultUrls", "data", "resultObject", "url"]), inner)
    ),
    max_leaves=10,
)


@given(result=VALUES, response=VALUES)
def test_no_record_breaks_the_search(result: object, response: object) -> None:
    for url in find_result_urls({"resultJson": result, "response": response}):
        assert url.startswith("https://")
