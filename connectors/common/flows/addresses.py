"""Which addresses of a flow log are ours, and which belong to somebody outside.

What belongs here: telling them apart, one spelling for each. What must not: a vendor's log format.

An outside address may be an end user's: it is personal data and never leaves this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import polars as pl

_PRIVATE = (
    IPv4Network((0x0A000000, 8)),  # RFC 1918, with the two that follow
    IPv4Network((0xAC100000, 12)),
    IPv4Network((0xC0A80000, 16)),
    IPv4Network((0x64400000, 10)),  # RFC 6598: Kubernetes and carrier-grade NAT
    IPv4Network((0xA9FE0000, 16)),  # link-local
    IPv4Network((0x7F000000, 8)),
    IPv6Network("fc00::/7"),
    IPv6Network("fe80::/10"),
)
_REMEMBERED = 500_000

INSIDE, OUTSIDE, INVALID = "inside", "outside", "invalid"


class AddressBook:
    """Private networks (RFC 1918, 6598, 4193, link-local) and `own_networks` are inside, all else is outside.

    Memory is bounded however many addresses come.
    """

    def __init__(self, own_networks: Iterable[str] = ()) -> None:
        networks = [*_PRIVATE, *(ip_network(text) for text in own_networks)]
        self._networks = {
            4: [(int(n.netmask), int(n.network_address)) for n in networks if n.version == 4],
            6: [(int(n.netmask), int(n.network_address)) for n in networks if n.version == 6],
        }
        self._known: dict[str, tuple[str | None, str]] = {}

    def find(self, text: str) -> tuple[str | None, str]:
        """Return (the address in its one spelling if it is inside, else None; inside, outside or invalid)."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[text] = self._judge(text)
        return found

    def _judge(self, text: str) -> tuple[str | None, str]:
        try:
            address: IPv4Address | IPv6Address = ip_address(text)
        except ValueError:
            return None, INVALID
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number = int(address)
        if any(number & mask == network for mask, network in self._networks[address.version]):
            return str(address), INSIDE
        return None, OUTSIDE

    def locate(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        """Replace a column of address texts by the inside ones; add `<column>_scope` (null where there was none)."""
        texts = frame.get_column(column).unique().drop_nulls().to_list()
        found = [self.find(text) for text in texts]
        known = pl.DataFrame(
            {
                column: texts,
                "_address": [address for address, _ in found],
                f"{column}_scope": [scope for _, scope in found],
            },
            schema={column: pl.String, "_address": pl.String, f"{column}_scope": pl.String},
        )
        joined = frame.join(known, on=column, how="left", maintain_order="left")
        return joined.with_columns(pl.col("_address").alias(column)).drop("_address")


def check_network(text: str) -> str:
    """Return a network in its one spelling. Raises ValueError for text that names none, or everything."""
    network = ip_network(text.strip())
    shortest = 16 if isinstance(network, IPv6Network) else 8
    if network.prefixlen < shortest:
        raise ValueError(f"{network} is no network of one's own; name the networks that are yours")
    return str(network)
