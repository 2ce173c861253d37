// Certificates and keys in options: PEM text or a file, and what is said of anything else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { certificate, privateKey, readPem, readPems } from '../../src/guards/pem.ts';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { temporaryFolder } from '../servers/process.ts';

const faultOf = (schema: typeof certificate, option: string) => schema.safeParse(option).error?.issues[0]?.message;

test('a certificate and a key are given as text or as a file, and a file is read anew each time', (t) => {
  if (!needs(t, 'openssl')) return;
  const folder = temporaryFolder('pem');
  t.after(() => folder.remove());
  const { cert, key, file } = makeCertificate(folder.path);
  for (const option of [cert, join(folder.path, 'cert.pem'), file])
    assert.equal(faultOf(certificate, option), undefined);
  for (const option of [key, join(folder.path, 'key.pem'), file]) assert.equal(faultOf(privateKey, option), undefined);
  assert.deepEqual(readPems({ cert, key: join(folder.path, 'key.pem'), ca: undefined }), { cert, key });
  writeFileSync(file, 'renewed');
  assert.equal(readPem(file), 'renewed');
});

test('what is no certificate, no key, or not there is said so before anybody connects', (t) => {
  if (!needs(t, 'openssl')) return;
  const folder = temporaryFolder('pem');
  t.after(() => folder.remove());
  const { cert, key } = makeCertificate(folder.path);
  const [certFile, missing] = [join(folder.path, 'cert.pem'), join(folder.path, 'none.pem')];
  assert.equal(faultOf(certificate, missing), `no file ${missing}`);
  assert.equal(faultOf(certificate, folder.path), `${folder.path} cannot be read (EISDIR)`);
  assert.equal(faultOf(privateKey, certFile), `no private key in PEM is in ${certFile}`);
  // Of text that stands in the configuration nothing is repeated.
  assert.equal(faultOf(certificate, key), 'no certificate in PEM');
  assert.equal(faultOf(privateKey, cert), 'no private key in PEM');
});
