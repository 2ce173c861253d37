// The gateway's configuration in the demo, written as an operator would write it.
import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';

export const xmppHost = 'xmpp.example';
export const sipDomain = 'sip.example';
export const componentSecret = 'demo-component-secret';
/** Components of the XMPP host at which people of the other two networks are shown. */
export const components = { sip: `sip.${xmppHost}`, sms: `sms.${xmppHost}` };

export const accounts = {
  alice: { jid: `alice@${xmppHost}`, password: 'demo-alice', number: '+447700900001' },
  bob: { aor: `sip:bob@${sipDomain}`, number: '+447700900002' },
  carol: { number: '+447700900123' },
};

export interface Ports {
  admin: number;
  xmppComponent: number;
  sipWebSocket: number;
  smpp: number;
}

export function writeSettings(file: string, ports: Ports, store: { data: string; redisUrl?: string }): void {
  const { alice, bob } = accounts;
  const settings = {
    data: store.data,
    ...(store.redisUrl === undefined ? {} : { redis: { url: store.redisUrl } }),
    log: { level: 'info' },
    admin: { port: ports.admin },
    people: [
      { name: 'Alice', addresses: [`xmpp:${alice.jid}`, `tel:${alice.number}`] },
      { name: 'Bob', addresses: [bob.aor, `tel:${bob.number}`] },
    ],
    routes: [
      { to: `xmpp:*@${xmppHost}`, via: 'jabber' },
      { to: `sip:*@${sipDomain}`, via: 'phones' },
      { to: 'tel:*', via: 'carrier' },
    ],
    instances: {
      jabber: {
        protocol: 'xmpp',
        host: '127.0.0.1',
        port: ports.xmppComponent,
        domains: [
          { domain: components.sip, secret: componentSecret, shows: ['sip'], home: sipDomain },
          { domain: components.sms, secret: componentSecret, shows: ['tel'] },
        ],
      },
      phones: {
        protocol: 'sip',
        listen: [{ transport: 'ws', host: '127.0.0.1', port: ports.sipWebSocket }],
        domains: [{ domain: `gw.${sipDomain}`, shows: ['xmpp', 'tel'], home: xmppHost }],
        nativeDomains: [sipDomain],
      },
      carrier: { protocol: 'smpp', host: '127.0.0.1', port: ports.smpp, systemId: 'dragoman', password: 'demo' },
    },
  };
  writeFileSync(file, stringify(settings));
}
