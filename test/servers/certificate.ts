// A self-signed certificate for 127.0.0.1 and localhost, made by openssl for one test.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
  /** Certificate and key in one file, as Erlang and C servers want it. */
  readonly file: string;
}

/** Needs /usr/bin/openssl (see debian.ts). The files live in `folder`. */
export function makeCertificate(folder: string): Certificate {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext ${names}`;
  const { status, stderr } = spawnSync('openssl', [...args.split(' '), '-keyout', keyFile, '-out', certFile]);
  if (status !== 0) throw new Error(`openssl: ${stderr.toString()}`);
  const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
  const file = join(folder, 'both.pem');
  writeFileSync(file, cert + key);
  return { cert, key, file };
}
