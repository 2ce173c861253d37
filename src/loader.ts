// Protocol name -> adapter module: a built-in folder or a package from npm, through one door.
import { existsSync, globSync } from 'node:fs';
import { dirname } from 'node:path';
import { guess } from './config/spelling.ts';
import { type AdapterModule, GatewayError, schemes } from './contract/index.ts';

const builtIn = new URL('../adapters/', import.meta.url);

/** The protocols of the built-in folders, their second faces (`smpp/server`) among them. */
export function builtInProtocols(): string[] {
  return globSync(['*/index.ts', '*/server/index.ts'], { cwd: builtIn }).map(dirname).sort();
}

/** Throws GatewayError `not-found` (no such module) or `malformed` (it is no adapter). */
export async function loadAdapter(protocol: string): Promise<AdapterModule> {
  // `smpp/server` is a second face of one protocol, in a room of that protocol's folder.
  const folder = new URL(`${protocol.split('/').map(encodeURIComponent).join('/')}/index.ts`, builtIn);
  const module: unknown = await import(existsSync(folder) ? folder.href : protocol).catch((error: Error) => {
    const isAbsent =
      (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' && error.message.includes(`'${protocol}'`);
    const why = isAbsent ? absent(protocol) : `: ${error.message.split('\n')[0]}`;
    throw new GatewayError('not-found', `no adapter for protocol "${protocol}"${why}`, { cause: error });
  });
  const adapter = (module as { adapter?: AdapterModule }).adapter;
  const isAdapter =
    typeof adapter?.create === 'function' &&
    schemes.includes(adapter.network) &&
    typeof adapter.options?.safeParse === 'function';
  if (!isAdapter) throw new GatewayError('malformed', `"${protocol}" exports no adapter (see docs/architecture.md)`);
  return adapter;
}

function absent(protocol: string): string {
  const known = builtInProtocols();
  return guess(protocol, known) || `; known are ${known.join(', ')}, and packages that npm has installed`;
}
