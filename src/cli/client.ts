// Asks a running gateway over its admin API.
import { z } from 'zod';
import { ConfigDocument, ConfigError } from '../config/document.ts';
import { configSchema } from '../config/schema.ts';
import { validate } from '../config/validate.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

export interface ClientOptions {
  config: string;
  url?: string;
  token?: string;
  json?: boolean;
}

export class AdminClient {
  readonly #url: string;
  readonly #token: string | undefined;

  /** Where the gateway listens and its token come from the configuration file unless said otherwise. */
  constructor({ config, url, token }: ClientOptions) {
    if (url !== undefined) {
      if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
        throw new CommandError(`--url ${url}: write it as http://127.0.0.1:8080`, exitCodes.usage);
      this.#url = url;
      this.#token = token;
      return;
    }
    const { host, port, token: configured } = readAdmin(config);
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#token = token ?? configured;
  }

  get<T>(path: string): Promise<T> {
    return this.#ask('GET', path);
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.#ask('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#ask('DELETE', path);
  }

  /** The bytes of the answer as they come, without an end to be waited for. */
  async stream(path: string): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#send('GET', path);
    if (!response.ok) throw await refusal(response);
    return response.body ?? new ReadableStream();
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#send(method, path, body);
    if (!response.ok) throw await refusal(response);
    return (await response.json().catch(() => ({}))) as T;
  }

  async #send(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    return fetch(new URL(path, this.#url), request).catch((error: Error) => {
      const why = error.cause instanceof Error ? error.cause.message : error.message;
      throw new CommandError(
        `no gateway answers at ${this.#url} (${why}); is it running, and is this its configuration?`,
        exitCodes.unreachable,
      );
    });
  }
}

async function refusal(response: Response): Promise<CommandError> {
  const { text } = (await response.json().catch(() => ({}))) as { text?: string };
  return new CommandError(text ?? `the gateway answered ${response.status}`, exitCodes.failed);
}

// Only this part: asking needs none of the secrets that the networks' own options may name.
function readAdmin(file: string) {
  const document = new ConfigDocument(file, process.env);
  const outline = z.looseObject({ admin: z.unknown() }).catch({ admin: undefined }).parse(document.value);
  const admin = validate(document, configSchema.shape.admin, outline.admin, ['admin']);
  const faults = document.faults.filter(({ path }) => path === '' || path === 'admin' || path.startsWith('admin.'));
  if (!admin || faults.length > 0) throw new ConfigError(file, faults);
  // Listening everywhere is being reachable here.
  const host = admin.host === '0.0.0.0' ? '127.0.0.1' : admin.host === '::' ? '::1' : admin.host;
  return { ...admin, host };
}
