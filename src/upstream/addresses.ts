import ipaddr from "ipaddr.js";

/**
 * `forbidden`: cloud metadata services, link-local, multicast and broadcast: no model and no webhook lives there.
 * `internal`: loopback, private and other ranges that are not routed publicly.
 */
export type AddressClass = "forbidden" | "internal" | "public";

/** Metadata services outside the link-local ranges. */
const metadata = new Set([
  "fd00:ec2::254", // AWS
  "fd20:ce::254", // Google
  "100.100.100.200", // Alibaba
  "192.0.0.192", // Oracle
  "168.63.129.16", // Azure
]);

const forbiddenRanges = new Set(["linkLocal", "multicast", "broadcast"]);

/** What an IP address may be used for. Anything that is not an address is `forbidden`. */
export function classifyAddress(text: string): AddressClass {
  if (!ipaddr.isValid(text)) return "forbidden";
  const address = ipaddr.parse(text);
  const inner = address.kind() === "ipv6" ? embeddedIPv4(address as ipaddr.IPv6) : null;
  if (inner !== null) return classifyAddress(inner);
  if (metadata.has(address.toString())) return "forbidden";
  const range = address.range();
  if (forbiddenRanges.has(range)) return "forbidden";
  return range === "unicast" ? "public" : "internal";
}

/** The IPv4 address that an IPv6 address leads to: mapped, compatible, translated (NAT64) or tunnelled (6to4). */
function embeddedIPv4(address: ipaddr.IPv6): string | null {
  const bytes = address.toByteArray();
  const at = (offset: number) => bytes.slice(offset, offset + 4).join(".");
  switch (address.range()) {
    case "ipv4Mapped":
    case "rfc6145":
    case "rfc6052":
      return at(12);
    case "6to4":
      return at(2);
    default:
      // ::a.b.c.d, deprecated but still understood; :: and ::1 are the unspecified and the loopback address.
      return bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12, 14).some((byte) => byte !== 0)
        ? at(12)
        : null;
  }
}
