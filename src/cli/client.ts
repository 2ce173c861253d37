// Asks a running gateway over its admin API.
import { resolve } from 'node:path';
import { ConfigDocument } from '../config/document.ts';
import { configSchema } from '../config/schema.ts';
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
      this.#url = url;
      this.#token = token;
      return;
    }
    const document = new ConfigDocument(resolve(config), process.env);
    const admin = configSchema.shape.admin.safeParse((document.value as { admin?: unknown }).admin);
    if (!admin.success) throw new CommandError(`${config}: admin: ${admin.error.issues[0]?.message}`, exitCodes.usage);
    const { host, port } = admin.data;
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#token = token ?? admin.data.token;
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

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = {};
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(new URL(path, this.#url), request).catch((error: Error) => {
      const why = error.cause instanceof Error ? error.cause.message : error.message;
      throw new CommandError(
        `no gateway answers at ${this.#url} (${why}); is it running, and is this its configuration?`,
        exitCodes.unreachable,
      );
    });
    const answer = (await response.json().catch(() => ({}))) as T & { text?: string; reason?: string };
    if (!response.ok)
      throw new CommandError(answer.text ?? `the gateway answered ${response.status}`, exitCodes.failed);
    return answer;
  }
}
