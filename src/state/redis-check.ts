// What a Redis server must be like to be trusted with messages, and the line of redis.conf that makes it so.
import { type Finding, GatewayError } from '../contract/index.ts';

const oldestVersion = [6, 2] as const;

interface Server {
  info(...sections: string[]): Promise<string>;
}

/** Looks at every master. Throws GatewayError `unsupported` when one is too old. */
export async function checkServer(masters: readonly Server[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const master of masters) {
    const fields = await infoOf(master);
    if (!fields) {
      findings.push({ state: 'warning', what: 'Redis: INFO is not allowed to this user', advice: 'ACL: +info' });
      continue;
    }
    const version = fields.get('redis_version') ?? '';
    if (isOlder(version)) {
      throw new GatewayError(
        'unsupported',
        `Redis ${version} is too old: ${oldestVersion.join('.')} or later is needed`,
      );
    }
    findings.push(...judge(fields));
  }
  return findings;
}

async function infoOf(server: Server): Promise<Map<string, string> | undefined> {
  try {
    const lines = (await server.info()).split('\r\n');
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined;
    throw error;
  }
}

function judge(fields: ReadonlyMap<string, string>): Finding[] {
  const policy = fields.get('maxmemory_policy') ?? 'noeviction';
  const findings: Finding[] = [{ state: 'ok', what: `Redis ${fields.get('redis_version')}` }];
  if (policy !== 'noeviction') {
    findings.push({
      state: 'warning',
      what: `Redis throws keys away when memory is short (maxmemory-policy ${policy}): messages can vanish`,
      advice: 'redis.conf: maxmemory-policy noeviction',
    });
  }
  if (fields.get('aof_enabled') === '0') {
    findings.push({
      state: 'warning',
      what: 'Redis keeps no append-only file: what was accepted since its last snapshot is lost with it',
      advice: 'redis.conf: appendonly yes',
    });
  }
  return findings;
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1]);
}
