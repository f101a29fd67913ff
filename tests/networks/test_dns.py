"""DNS messages, against dnslib: an implementation that is not ours."""

from __future__ import annotations

import pytest
from dnslib import AAAA, EDNS0, QTYPE, RR, A, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from minidocker.networks import dns
from tests.networks.queries import LABELS, queries


@given(queries())
def test_a_query_is_read_as_dnslib_reads_it(record: DNSRecord) -> None:
    query = dns.read_query(bytes(record.pack()))
    opt = [each for each in record.ar if each.rtype == QTYPE.OPT]
    assert query.id == record.header.id
    assert query.labels == record.q.qname.label
    assert (query.kind, query.net) == (record.q.qtype, record.q.qclass)
    assert query.edns == bool(opt)
    assert query.room == max(512, opt[0].edns_len if opt else 0)


@given(queries(), st.lists(st.integers(0, 2**32 - 1), max_size=60), st.integers(0, 5))
def test_dnslib_reads_what_is_replied(record: DNSRecord, hosts: list[int], rcode: int) -> None:
    query = dns.read_query(bytes(record.pack()))
    answers = [(dns.A, host.to_bytes(4, "big")) for host in hosts]
    reply = DNSRecord.parse(dns.write_reply(query, answers, rcode=rcode, ttl=77))
    assert reply.header.id == record.header.id
    assert (reply.header.qr, reply.header.ra, reply.header.rcode) == (1, 1, rcode)
    assert (reply.header.rd, reply.header.cd) == (record.header.rd, record.header.cd)
    assert reply.questions == record.questions
    assert [(one.rname, one.ttl, one.rclass) for one in reply.rr] == [
        (record.q.qname, 77, dns.IN)
    ] * len(hosts)
    assert [bytes(one.rdata.data) for one in reply.rr] == [data for _, data in answers]
    assert [one.rtype for one in reply.ar] == ([QTYPE.OPT] if query.edns else [])


@given(queries(), st.integers(0, 100), st.integers(300, 2000))
def test_what_has_no_room_is_left_out_and_said(record: DNSRecord, count: int, room: int) -> None:
    query = dns.read_query(bytes(record.pack()))
    answers = [(dns.AAAA, bytes(15) + bytes([number])) for number in range(count)]
    data = dns.write_reply(query, answers, room=room)
    reply = DNSRecord.parse(data)
    assert len(data) <= room
    assert reply.header.tc == (len(reply.rr) < count)
    assert [bytes(one.rdata.data) for one in reply.rr] == [
        data for _, data in answers[: len(reply.rr)]
    ]
    assert len(reply.rr) == count or len(data) + 28 > room


@given(st.binary(max_size=80) | st.builds(lambda tail: bytes(4) + tail, st.binary(max_size=80)))
def test_any_bytes_are_a_query_or_are_refused(message: bytes) -> None:
    try:
        query = dns.read_query(message)
    except (dns.NoQuery, dns.BadQuery):
        return
    assert message[12:].startswith(query.question)
    assert sum(len(label) + 1 for label in query.labels) + 1 == len(query.question) - 4 <= 255


@given(queries(), st.data())
def test_a_query_that_ends_too_early_is_malformed(record: DNSRecord, data: st.DataObject) -> None:
    whole = bytes(record.pack())
    with pytest.raises((dns.BadQuery, dns.NoQuery)):
        dns.read_query(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    ("header", "rcode"),
    [
        (DNSHeader(opcode=2), dns.NOTIMP),
        (DNSHeader(opcode=5), dns.NOTIMP),
        (DNSHeader(opcode=0), dns.FORMERR),
    ],
    ids=["status", "update", "without a question"],
)
def test_what_is_no_plain_question_is_refused_by_its_code(header: DNSHeader, rcode: int) -> None:
    message = bytes(DNSRecord(header).pack())
    with pytest.raises(dns.BadQuery) as refused:
        dns.read_query(message)
    assert refused.value.rcode == rcode
    reply = DNSRecord.parse(dns.write_error(message, rcode))
    assert (reply.header.qr, reply.header.rcode, reply.header.id) == (1, rcode, header.id)
    assert reply.header.opcode == header.opcode


def test_a_reply_is_no_query() -> None:
    with pytest.raises(dns.NoQuery):
        dns.read_query(bytes(DNSRecord.question("web").reply().pack()))


@pytest.mark.parametrize(
    "question",
    [b"\xc0\x0c\0\1\0\1", b"\x40" + b"a" * 64 + b"\0\0\1\0\1", (b"\x3f" + b"a" * 63) * 4 + b"\0"],
    ids=["a pointer to itself", "a label of 64 bytes", "a name of 257 bytes"],
)
def test_a_name_that_cannot_be_is_malformed(question: bytes) -> None:
    with pytest.raises(dns.BadQuery):
        dns.read_query(b"\0\7\1\0\0\1\0\0\0\0\0\0" + question + b"\0\1\0\1")


def test_two_opt_records_are_malformed() -> None:
    record = DNSRecord.question("web")
    record.add_ar(EDNS0(), EDNS0())
    with pytest.raises(dns.BadQuery):
        dns.read_query(bytes(record.pack()))


@given(queries(), st.integers(0, 65535))
def test_a_reply_is_known_by_number_and_question(record: DNSRecord, id: int) -> None:
    query = dns.read_query(bytes(record.pack()))
    reply = dns.with_id(dns.write_reply(query), id)
    assert dns.answers_to(query, reply, id)
    assert not dns.answers_to(query, reply, id ^ 1)
    assert not dns.answers_to(query, dns.with_id(bytes(record.pack()), id), id)
    other = DNSRecord(DNSHeader(id=id), q=DNSQuestion(record.q.qname, record.q.qtype ^ 32))
    assert not dns.answers_to(query, bytes(other.reply().pack()), id)
    assert not dns.answers_to(query, reply[:11], id)


def test_a_server_may_write_the_name_in_other_letters() -> None:
    query = dns.read_query(bytes(DNSRecord.question("wEb.Example").pack()))
    reply = bytes(DNSRecord(q=DNSQuestion("web.example")).reply().pack())
    assert dns.answers_to(query, dns.with_id(reply, 5), 5)


@given(queries(), st.integers(0, 80), st.integers(300, 1500))
def test_a_reply_that_is_cut_is_still_one(record: DNSRecord, count: int, room: int) -> None:
    query = dns.read_query(bytes(record.pack()))
    reply = record.reply()
    for number in range(count):
        reply.add_answer(RR(record.q.qname, QTYPE.A, rdata=A(f"10.0.0.{number}"), ttl=1))
        reply.add_answer(RR(record.q.qname, QTYPE.AAAA, rdata=AAAA(f"fd00::{number}"), ttl=1))
    whole = bytes(reply.pack())
    data = dns.cut(query, whole, room)
    if len(whole) <= room:
        assert data == whole
        return
    read = DNSRecord.parse(data)
    assert len(data) <= room
    assert (read.header.tc, read.header.id, read.rr) == (1, record.header.id, [])
    assert read.questions == record.questions


@given(LABELS)
def test_a_name_is_written_as_dnslib_does(labels: list[bytes]) -> None:
    name = ".".join(label.decode() for label in labels)
    assert dns.name_data(name) == bytes(DNSRecord(q=DNSQuestion(labels)).pack())[12:-4]


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64, ".".join(["a" * 63] * 4), "a."])
def test_a_name_that_dns_cannot_express_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of DNS"):
        dns.name_data(name)
