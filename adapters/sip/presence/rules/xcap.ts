// Documents of users at an XCAP server (RFC 4825): written whole, over HTTP, with digest.
import { GatewayError } from '../../../../src/contract/index.ts';
import { answerChallenge, type Credentials, NonceCounts } from '../../digest/index.ts';

export interface XcapServer {
  /** Where its documents begin: `https://xcap.example.org/xcap-root`. */
  root: string;
  user?: string | undefined;
  password?: string | undefined;
}

export interface XcapDocument {
  /** Application usage: `pres-rules`. */
  usage: string;
  /** Whose it is. */
  user: string;
  name: string;
  type: string;
  content: string;
}

const patienceMs = 10_000;

export class XcapClient {
  readonly #root: string;
  readonly #credentials: readonly Credentials[];
  readonly #counts = new NonceCounts();

  constructor({ root, user, password }: XcapServer) {
    this.#root = root.replace(/\/+$/, '');
    this.#credentials = user === undefined ? [] : [{ user, password: password ?? '' }];
  }

  /** In place of what is there (s.7.1). Throws GatewayError: final when the server refuses it. */
  async put({ usage, user, name, type, content }: XcapDocument, signal: AbortSignal): Promise<void> {
    const url = new URL(`${this.#root}/${usage}/users/${segment(user)}/${name}`);
    const body = Buffer.from(content);
    const send = (authorization: Record<string, string>) =>
      this.#fetch(url, { 'content-type': type, ...authorization }, body, signal);
    let response = await send({});
    if (response.status === 401) {
      const challenges = [response.headers.get('www-authenticate') ?? ''];
      const request = { method: 'PUT', uri: url.pathname + url.search, body };
      const [authorization] = answerChallenge(challenges, this.#credentials, request, this.#counts);
      if (authorization !== undefined) response = await send({ authorization });
    }
    const { status } = response;
    if (status < 300) return;
    const native = `HTTP ${status}`;
    const reason = status >= 500 || status === 429 ? 'unavailable' : 'not-allowed';
    throw new GatewayError(reason, `${this.#root} answers ${native} to the rules of ${user}`, { native });
  }

  async #fetch(url: URL, headers: Record<string, string>, body: Buffer<ArrayBuffer>, signal: AbortSignal) {
    try {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      const response = await fetch(url, { method: 'PUT', headers, body, redirect: 'error', signal: bounded });
      await response.body?.cancel();
      return response;
    } catch (cause) {
      throw new GatewayError('unreachable', `${this.#root} does not answer`, { cause });
    }
  }
}

// `:` and `@` may stand in a path; a `%` of the user's own must come back as one.
function segment(user: string): string {
  return encodeURIComponent(user).replaceAll('%3A', ':').replaceAll('%40', '@');
}
