// What people of other networks answer their watchers, as rules of the presence server that tells them (RFC 5025 by RFC 4825).
import { type Address, bareAddress, type EventOf, type Hub, splitAddress } from '../../../../src/contract/index.ts';
import { Turns } from '../../../../src/guards/turns.ts';
import { hashedKey } from '../hashed-key.ts';
import type { PresenceServer } from '../publication/agent.ts';
import { formatPresRules, presRulesType, type Verdicts } from './pres-rules.ts';
import { XcapClient } from './xcap.ts';

const prefix = 'rules/';
/** Of one person; the oldest answer is the first to be forgotten. */
const maxEach = 1000;
const keepMs = 400 * 86_400_000;

export class Rules {
  readonly #hub: Hub;
  readonly #servers: ReadonlyMap<string, XcapClient>;
  readonly #turns = new Turns();

  constructor(servers: readonly PresenceServer[], hub: Hub) {
    this.#hub = hub;
    this.#servers = new Map(
      servers.flatMap(({ domain, rules }) => (rules ? [[domain.toLowerCase(), new XcapClient(rules)] as const] : [])),
    );
  }

  /** Resolves when the watcher's server has it. Throws GatewayError. */
  async decide({ action, from, to }: EventOf<'subscription'>, signal: AbortSignal): Promise<void> {
    const { domain } = splitAddress(to);
    const server = this.#servers.get(domain);
    if (!server) return;
    const [presentity, watcher] = [bareAddress(from), bareAddress(to)];
    const key = keyOf(presentity, domain);
    await this.#turns.take(key, async () => {
      const known = await this.#read(key);
      const verdicts = withVerdict(known, watcher, action === 'approve');
      if (verdicts === known) return;
      const content = formatPresRules(verdicts);
      await server.put({ usage: 'pres-rules', user: presentity, name: 'index', type: presRulesType, content }, signal);
      await this.#hub.state.set(key, JSON.stringify(verdicts), keepMs);
    });
  }

  async #read(key: string): Promise<Verdicts> {
    const text = await this.#hub.state.get(key);
    return text === undefined ? { allow: [], block: [] } : (JSON.parse(text) as Verdicts);
  }
}

/** The same object when nothing is new. */
function withVerdict(verdicts: Verdicts, watcher: Address, isAllowed: boolean): Verdicts {
  const { allow, block } = verdicts;
  if ((isAllowed ? allow : block).includes(watcher)) return verdicts;
  const [others, blocked] = [allow, block].map((all) => all.filter((other) => other !== watcher));
  const add = (all: readonly string[] = [], is: boolean) => (is ? [...all, watcher].slice(-maxEach) : all);
  return { allow: add(others, isAllowed), block: add(blocked, !isAllowed) };
}

function keyOf(presentity: Address, domain: string): string {
  return hashedKey(prefix, `${presentity}|${domain}`.toLowerCase());
}
