"""Descriptors: how one content points at another, by type, digest and size.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minidocker.errors import InvalidParameter
from minidocker.oci import fields
from minidocker.oci.digest import parse_digest
from minidocker.oci.platform import Platform


@dataclass(frozen=True)
class Descriptor:
    """``size``: bytes.  ``platform``: only in an index.  ``urls``: where else the bytes are."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    urls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON object, with the optional fields that say something."""
        value: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.urls:
            value["urls"] = list(self.urls)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.platform is not None:
            value["platform"] = self.platform.to_json()
        return value

    @staticmethod
    def from_json(source: fields.Object) -> Descriptor:
        """Raises ``InvalidParameter``: the three of type, digest and size must be there."""
        media_type, size = fields.text(source, "mediaType"), fields.number(source, "size", -1)
        if not media_type:
            raise InvalidParameter('a descriptor without "mediaType"')
        if not 0 <= size < 1 << 63:
            raise InvalidParameter(f'a descriptor without a good "size": {source.get("size")}')
        platform = source.get("platform")
        return Descriptor(
            media_type,
            parse_digest(fields.text(source, "digest")),
            size,
            None if platform is None else Platform.from_json(fields.child(source, "platform")),
            fields.pairs(source, "annotations"),
            fields.texts(source, "urls"),
        )
