// Where a subscription's other side finds us, and by which way we find it (RFC 3261 s.12.1, RFC 5626 s.5.3 by its Contact).
import type { Address } from '../../../../src/contract/index.ts';
import { bareHost } from '../../codec/host.ts';
import type { SipRequest } from '../../codec/message.ts';
import { formatNameAddr } from '../../codec/name-addr.ts';
import { formatUri, parseUri } from '../../codec/uri.ts';
import type { FlowName } from '../../directions.ts';
import { type Flow, uriParametersOf } from '../../transport/flow.ts';

/** Our Contact towards whoever is at the other end of the flow. */
export function contactOf(presentity: Address, { sentBy, transport }: Flow): string {
  const { user } = parseUri(presentity);
  const { host, port } = sentBy;
  const parameters = uriParametersOf(transport);
  const uri = formatUri({ scheme: 'sip', host, port, parameters, ...(user === undefined ? {} : { user }) });
  return formatNameAddr({ uri, parameters: new Map() });
}

/** The flow to answer by: its connection, or, of somebody behind a NAT, where it was heard. None through proxies. */
export function wayOf({ headers }: SipRequest, target: string, flow: Flow): FlowName | undefined {
  if (headers.all('Via').length > 1 || headers.has('Record-Route')) return undefined;
  const { id, transport, isReliable, remote } = flow;
  if (!isReliable && bareHost(parseUri(target).host) === remote.address) return undefined;
  return { id, transport, address: remote.address, port: remote.port };
}
