// Certificates and keys as operators write them: the PEM text itself, or the path of the file that holds it.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** For descriptions of options. */
export const pemHint = 'PEM, or the path of a file that holds it';

const isText = (option: string) => option.startsWith('-----BEGIN');

/** Options of a configuration. What cannot be read, or is something else, is told with its key and line, and not by a handshake that fails. */
export const certificate = pem('certificate', /-----BEGIN ([A-Z0-9]+ )?CERTIFICATE-----/);
export const privateKey = pem('private key', /-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----/);

/** What the option holds, read anew each time: a renewed certificate serves the next connection. Throws when its file is gone. */
export function readPem(option: string): string {
  return isText(option) ? option : readFileSync(option, 'utf8');
}

export interface Pems {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

/** Of TLS options the certificates and the key, those that are there. */
export function readPems({ ca, cert, key }: Pems): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca === undefined ? {} : { ca: readPem(ca) }),
    ...(cert === undefined ? {} : { cert: readPem(cert) }),
    ...(key === undefined ? {} : { key: readPem(key) }),
  };
}

function pem(what: string, pattern: RegExp) {
  return z.string().superRefine((option, context) => {
    const fault = faultOf(option, what, pattern);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });
}

function faultOf(option: string, what: string, pattern: RegExp): string | undefined {
  let text: string;
  try {
    text = readPem(option);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `no file ${option}` : `${option} cannot be read (${code})`;
  }
  if (pattern.test(text)) return undefined;
  return isText(option) ? `no ${what} in PEM` : `no ${what} in PEM is in ${option}`;
}
