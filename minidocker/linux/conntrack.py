"""What the kernel remembers of conversations (nf_conntrack), to make it forget some.

It decides once where a conversation leads, and holds on to that as long as there are
packets.  Those of UDP may never end: what was sent to a container that is gone would go on
to its address, whoever has that by now.
"""

from __future__ import annotations

import errno
import struct

from minidocker.linux.netlink import (
    Address,
    NetlinkSocket,
    address_family,
    attributes,
    nested,
)

NETLINK_NETFILTER = 12

# <linux/netfilter/nfnetlink_conntrack.h>; 1 is NFNL_SUBSYS_CTNETLINK
IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1 << 8 | 1, 1 << 8 | 2
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY = 1, 2
CTA_TUPLE_IP = 1
CTA_IP_V4_SRC, CTA_IP_V6_SRC = 1, 3

_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource


class ConntrackSocket(NetlinkSocket):
    """The conversations of the network namespace in which it was made."""

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER)

    def forget(self, address: Address) -> int:
        """Those that ``address`` began, and those that lead to it: how many there were.

        Their next packets are as those of new ones.
        """
        header, count = _HEADER.pack(address_family(address), 0, 0), 0
        for message in self._dump(IPCTNL_MSG_CT_GET, header, str(address)):
            if address.packed in message:  # most are others', and soon told
                given = dict(attributes(message[_HEADER.size :]))
                # Of one that leads to it, the answers come from it, whatever was translated.
                ends = (_source(given[CTA_TUPLE_ORIG]), _source(given[CTA_TUPLE_REPLY]))
                if address.packed in ends:
                    count += self._delete(header, given[CTA_TUPLE_ORIG], str(address))
        return count

    def _delete(self, header: bytes, original: bytes, what: str) -> bool:
        try:
            body = header + nested(CTA_TUPLE_ORIG, original)
            self._ask(IPCTNL_MSG_CT_DELETE, 0, body, what)
        except OSError as error:
            if error.errno != errno.ENOENT:  # its time was over meanwhile
                raise
            return False
        return True


def _source(data: bytes) -> bytes | None:
    """The address from which the packets of a direction come."""
    found = dict(attributes(dict(attributes(data))[CTA_TUPLE_IP]))
    return found.get(CTA_IP_V4_SRC) or found.get(CTA_IP_V6_SRC)
