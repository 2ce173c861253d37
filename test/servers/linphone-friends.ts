// liblinphone (Debian linphone-cli) with a list of friends, all watched with one SUBSCRIBE (RFC 5367). Linphone's own programs
// without a screen do not say how friends are; `linphone-friends.py` says what its windows show: `sip:... online Online: note`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from './process.ts';

export interface FriendsOptions {
  user: string;
  domain: string;
  password: string;
  /** UDP, on loopback. */
  registrar: number;
  friends: readonly string[];
  /** Where the list is subscribed to; without it each friend is. */
  listServer?: string;
  /** The list lies there, and is not sent along. */
  isListKnown?: boolean;
  /** Publishes that its owner is in a meeting, until noon. */
  publishes?: boolean;
}

/** It registers and subscribes by itself. */
export async function startLinphoneFriends(options: FriendsOptions): Promise<ServerProcess> {
  const { user, domain, password, registrar, friends, listServer, isListKnown = false, publishes = false } = options;
  const [port = 0] = await freePorts(1);
  const folder = temporaryFolder('linphone-friends');
  mkdirSync(join(folder.path, '.local/share/linphone'), { recursive: true });
  const config = join(folder.path, 'linphonerc');
  const sections = {
    sip: {
      ...{ sip_port: port, sip_tcp_port: 0, sip_tls_port: 0, guess_hostname: 0, default_proxy: 0 },
      ...(listServer === undefined ? {} : { rls_uri: listServer }),
    },
    net: { friendlist_subscription_enabled: 1 },
    auth_info_0: { username: user, passwd: password, realm: `"${domain}"`, domain, algorithm: 'SHA-256' },
    proxy_0: {
      reg_proxy: `<sip:127.0.0.1:${registrar};transport=udp>`,
      reg_route: `<sip:127.0.0.1:${registrar};transport=udp;lr>`,
      ...{ reg_identity: `sip:${user}@${domain}`, reg_expires: 600, reg_sendregister: 1, publish: publishes ? 1 : 0 },
    },
    ...Object.fromEntries(friends.map((url, at) => [`friend_${at}`, { url: `<${url}>`, pol: 'accept', subscribe: 1 }])),
  };
  const lines = Object.entries(sections).flatMap(([name, values]) => [
    `[${name}]`,
    ...Object.entries(values).map(([key, value]) => `${key}=${value}`),
  ]);
  writeFileSync(config, `${lines.join('\n')}\n`);
  const env = { HOME: folder.path, XDG_DATA_HOME: join(folder.path, '.local/share') };
  const script = join(import.meta.dirname, 'linphone-friends.py');
  const phone = await startServer('/usr/bin/python3', {
    args: [script, config, ...(isListKnown ? ['bodyless'] : []), ...(publishes ? ['meeting'] : [])],
    env,
    readyLine: /^ready$/m,
  });
  return {
    ...phone,
    async stop() {
      await phone.stop();
      folder.remove();
    },
  };
}
