// Where a request came from, written into its top Via, and where its response goes (RFC 3261 s.18.2, RFC 3581 s.4).
import { bareHost } from '../codec/host.ts';
import type { Headers } from '../codec/message.ts';
import { formatVia, type Via } from '../codec/via.ts';
import type { Endpoint, Flow } from './flow.ts';

/** Changes the headers. `replyTo` is where over UDP the response goes; a connection answers itself. */
export function stampVia(headers: Headers, flow: Flow): { via: Via; replyTo: Endpoint } {
  const others = headers.all('Via').slice(1);
  const via = { ...headers.topVia() };
  const { address, port } = flow.remote;
  const wantsPort = via.rport !== undefined;
  if (wantsPort) via.rport = port;
  if (wantsPort || bareHost(via.host) !== address) via.received = address;
  headers.set('Via', formatVia(via));
  for (const other of others) headers.add('Via', other);
  return { via, replyTo: { address, port: wantsPort ? port : (via.port ?? 5060) } };
}
