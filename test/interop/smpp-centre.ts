// What the tests of our own SMS centre need: a gateway with it, in the clear and with TLS, and a network in memory on which
// everybody answers with what they were told.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, temporaryFolder } from '../servers/process.ts';

export const alice = '+447700900001';
export const shop = '+447700900200';

export interface Centre {
  readonly port: number;
  readonly tlsPort: number;
  readonly gateway: GatewayProcess;
  /** PEM. */
  readonly ca: string;
  readonly certificate: { cert: string; key: string; file: string };
}

export async function openCentre(t: TestContext): Promise<Centre | undefined> {
  if (!needs(t, 'openssl')) return undefined;
  const folder = temporaryFolder('smpp-esme');
  t.after(() => folder.remove());
  const certificate = makeCertificate(folder.path);
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const { cert, key } = certificate;
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    lease: '3s',
    people: [{ addresses: ['im:alice@echo.example', `tel:${alice}`] }],
    routes: [
      { to: 'tel:+4477009002*', via: 'centre' },
      { to: 'tel:+4477009003*', via: 'centre' },
      { to: 'tel:+4477009004*', via: 'centre' },
      { to: 'im:*', via: 'echo' },
    ],
    instances: {
      centre: {
        protocol: 'smpp/server',
        listen: [{ port }, { port: tlsPort, tls: { cert, key, ca: cert, requestCert: true } }],
        accounts: {
          kannel: { password: 'secret', numbers: [shop, '+447700900201'], messageIds: 'hex' },
          perl: { password: 'secret', numbers: ['+447700900300'] },
          npm: { password: 'secret', numbers: ['+447700900400'], senders: ['My Shop'] },
        },
      },
      echo: { protocol: 'loopback', domain: 'echo.example', echo: true },
    },
  });
  await gateway.start();
  t.after(() => gateway.stop());
  return { port, tlsPort, gateway, ca: cert, certificate };
}
