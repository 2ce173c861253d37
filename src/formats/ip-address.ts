// IP addresses as sockets give them.

/** An IPv4 address without the IPv6 around it (`::ffff:192.0.2.1`, RFC 4291 s.2.5.5.2); anything else as it is. Empty for none. */
export function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
}
