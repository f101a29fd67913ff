"""Queries as clients send them, made by dnslib."""

from __future__ import annotations

from dnslib import EDNS0, DNSHeader, DNSLabel, DNSQuestion, DNSRecord, EDNSOption
from hypothesis import strategies as st

LABELS = st.lists(
    st.text("abcXYZ019-_", min_size=1, max_size=63).map(str.encode), min_size=1, max_size=4
).filter(lambda labels: sum(len(label) + 1 for label in labels) < 250)
KINDS = st.sampled_from([1, 2, 5, 12, 15, 16, 28, 33, 65, 255])


@st.composite
def queries(draw: st.DrawFn) -> DNSRecord:
    """A well-formed query, with or without EDNS."""
    flags = {name: draw(st.integers(0, 1)) for name in ("rd", "ad", "cd")}
    header = DNSHeader(id=draw(st.integers(0, 65535)), qr=0, **flags)
    labels = draw(LABELS | st.just([]))
    record = DNSRecord(header, q=DNSQuestion(DNSLabel(labels), draw(KINDS), 1))
    if draw(st.booleans()):
        options = draw(
            st.lists(st.builds(EDNSOption, st.just(10), st.binary(max_size=8)), max_size=2)
        )
        record.add_ar(EDNS0(udp_len=draw(st.integers(0, 65535)), opts=options))
    return record


def question(name: str, kind: str = "A", room: int = 0) -> bytes:
    """A query for ``name``; ``room``: of EDNS, if not 0."""
    record = DNSRecord.question(name, kind)
    if room:
        record.add_ar(EDNS0(udp_len=room))
    return bytes(record.pack())
