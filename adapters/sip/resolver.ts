// DNS as RFC 3263 asks it: through the servers of the configuration, else through the system with its hosts file. Cached.
import { Resolver as DnsResolver, lookup } from 'node:dns/promises';
import { RecentMap } from '../../src/guards/recent-map.ts';
import { isAbsent, type Resolver } from './next-hop.ts';

// Short enough for a failover by DNS, long enough that a burst asks once.
const keepMs = 30_000;
const maxKept = 1000;

export function systemResolver(servers: readonly string[], now: () => number): Resolver {
  const dns = new DnsResolver({ timeout: 2000, tries: 2 });
  if (servers.length > 0) dns.setServers([...servers]);
  const cached = cache(now);
  return {
    resolveNaptr: (name) => cached(`naptr/${name}`, () => dns.resolveNaptr(name)),
    resolveSrv: (name) => cached(`srv/${name}`, () => dns.resolveSrv(name)),
    addresses: (name) => cached(`host/${name}`, () => (servers.length > 0 ? bothFamilies(dns, name) : hosts(name))),
  };
}

/** That there is no such record is an answer too. Failures are not kept, but those who ask at the same time share one question. */
function cache(now: () => number): <T>(key: string, ask: () => Promise<T>) => Promise<T> {
  const kept = new RecentMap<string, { answer: Promise<unknown>; until: number }>(maxKept);
  return <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const known = kept.get(key);
    if (known && known.until > now()) return known.answer as Promise<T>;
    const answer = ask();
    answer.catch((error) => isAbsent(error) || kept.delete(key));
    kept.set(key, { answer, until: now() + keepMs });
    return answer;
  };
}

async function hosts(name: string): Promise<string[]> {
  return (await lookup(name, { all: true, order: 'ipv4first' })).map(({ address }) => address);
}

async function bothFamilies(dns: DnsResolver, name: string): Promise<string[]> {
  const [four, six] = await Promise.allSettled([dns.resolve4(name), dns.resolve6(name)]);
  const found = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length === 0 && four.status === 'rejected') throw four.reason;
  return found;
}
