// `dragoman doctor`: connects each component as configured and says what it finds, with the lines that the server lacks.
import type { Finding } from '../../src/contract/index.ts';
import { clockOf } from './clock.ts';
import { connectionOptions } from './component.ts';
import type { ComponentOptions, XmppOptions } from './config.ts';
import { Connection, type Ending } from './connection.ts';

export async function* diagnose(options: XmppOptions, signal: AbortSignal): AsyncIterable<Finding> {
  for (const component of options.domains) {
    if (signal.aborted) return;
    const ending = await tryConnection(options, component, signal);
    const finding = explain(options, component, ending);
    yield finding;
    // The other domains live behind the same port.
    if (ending && isNetwork(ending)) return;
  }
}

/** Undefined when the handshake was accepted. */
function tryConnection(
  options: XmppOptions,
  component: ComponentOptions,
  signal: AbortSignal,
): Promise<Ending | undefined> {
  return new Promise((resolve) => {
    const connection = new Connection(
      connectionOptions(options, component),
      {
        onUp: () => {
          resolve(undefined);
          connection.close();
        },
        onStanza: () => {},
        onSkipped: () => {},
        onFlush: () => '',
        onEnd: resolve,
      },
      clockOf(Date.now),
    );
    signal.addEventListener('abort', () => connection.destroy({ condition: 'timeout', why: 'interrupted' }), {
      once: true,
    });
  });
}

const isNetwork = ({ condition }: Ending) => /^(E[A-Z]+|timeout)$/.test(condition);

function explain({ host, port, tls }: XmppOptions, component: ComponentOptions, ending: Ending | undefined): Finding {
  const at = `${host}:${port}`;
  const { domain } = component;
  const failed = (what: string, advice: string): Finding => ({ state: 'failed', what: `${domain}: ${what}`, advice });
  const listens =
    'listens on another port or address (Prosody: component_ports, component_interfaces; ejabberd: listen)';
  switch (ending?.condition) {
    case undefined:
      return { state: 'ok', what: `${domain}: ${at} accepts the component` };
    case 'ECONNREFUSED':
      return failed(`nothing listens at ${at}`, `The XMPP server is not running, or ${listens}.`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failed(`the name ${host} is not known`, 'Correct "host", or the DNS.');
    case 'timeout':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
      return failed(
        `${at} does not answer`,
        `A firewall drops it, or the server ${listens}${tls ? '' : ', or it expects TLS'}.`,
      );
    case 'host-unknown':
      return failed(`the server at ${at} has no such component`, serverLines(component, port));
    case 'not-authorized':
      return failed(
        `the server at ${at} refuses the secret`,
        `The two secrets differ. ejabberd says the same of a domain it does not know. ${serverLines(component, port)}`,
      );
    case 'conflict':
      return {
        state: 'warning',
        what: `${domain}: somebody else is connected as this component`,
        advice: 'That is this gateway if it runs now. Otherwise two processes fight for one domain: stop the other.',
      };
    default:
      return failed(
        ending?.why ?? '',
        tls ? 'Does the port speak TLS from the first byte?' : `Does ${at} speak XEP-0114?`,
      );
  }
}

/** What was run against Prosody 0.12 and ejabberd 23.01. */
function serverLines({ domain }: ComponentOptions, port: number): string {
  return `Prosody, in prosody.cfg.lua:

    component_ports = { ${port} }
    Component "${domain}"
      component_secret = "<the secret in our configuration>"

ejabberd, in ejabberd.yml under listen:

    -
      port: ${port}
      module: ejabberd_service
      access: all
      global_routes: false
      hosts:
        ${domain}:
          password: "<the secret in our configuration>"
`;
}
