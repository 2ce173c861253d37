// Digest: the vectors of the RFCs, our client against our server, and what an eavesdropper can do with an answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  answer,
  answerChallenge,
  baseAlgorithms,
  type Credentials,
  DigestServer,
  type DigestServerOptions,
  NonceCounts,
  parseChallenge,
  parseChallenges,
  type SignedRequest,
  secretHash,
} from '../../../adapters/sip/digest/index.ts';

const request: SignedRequest = { method: 'MESSAGE', uri: 'sip:bob@example.org', body: Buffer.from('hello') };
const realm = 'example.org';
const alice: Credentials = { user: 'alice', password: 'sécret "x"' };
const makeServer = (options: Partial<DigestServerOptions> = {}) =>
  new DigestServer({
    realm,
    users: (user) => (user === 'alice' ? { password: alice.password } : undefined),
    secret: Buffer.alloc(32, 7),
    ...options,
  });
const field = (value: string | undefined, name: string) => new RegExp(`${name}="?([^",]+)`).exec(value ?? '')?.[1];

test('RFC 7616 s.3.9.1: the MD5 and SHA-256 answers of its example', () => {
  const credentials = { user: 'Mufasa', password: 'Circle of Life' };
  const get = { method: 'GET', uri: '/dir/index.html', body: new Uint8Array() };
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
  const expected = {
    MD5: '8ca523f5e9506fed4657c9700eebdbec',
    'SHA-256': '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
  };
  for (const [algorithm, response] of Object.entries(expected)) {
    const challenge = parseChallenge(
      `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    )!;
    const value = answer(challenge, credentials, get, 1, cnonce);
    assert.equal(field(value, 'response'), response);
    assert.equal(field(value, 'opaque'), 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS');
    assert.match(value, /nc=00000001/);
    assert.match(value, new RegExp(`algorithm=${algorithm},`));
  }
});

test('RFC 2069 errata: the answer to a challenge without qop has neither count nor cnonce', () => {
  const challenge = parseChallenge(
    'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
  )!;
  const get = { method: 'GET', uri: '/dir/index.html', body: new Uint8Array() };
  const value = answer(challenge, { user: 'Mufasa', password: 'CircleOfLife' }, get, 1);
  assert.equal(field(value, 'response'), '1949323746fe6a43ef61f9606e7febea');
  assert.doesNotMatch(value, /nc=|cnonce=|qop=|algorithm=/);
});

test('RFC 8760 s.2.4: of each realm the topmost challenge we can answer, whatever stands round it', () => {
  const realms: Credentials[] = [alice, { realm: 'other', user: 'al', password: 'p' }];
  const answers = answerChallenge(
    [
      'Basic realm="example.org"',
      'Digest realm="example.org", nonce="n0", algorithm=SHA-3000, qop="auth"',
      'Digest realm="example.org", nonce="n1", algorithm=SHA-256, qop="auth"',
      'Digest realm="example.org", nonce="n2", algorithm=MD5, qop="auth"',
      'Digest realm="other", nonce="n3", qop="conference", algorithm=MD5',
      'broken "',
      'Digest realm="other", nonce="n4"',
    ],
    realms,
    request,
  );
  assert.deepEqual(
    answers.map((value) => [field(value, 'username'), field(value, 'nonce')]),
    [
      ['alice', 'n1'],
      ['al', 'n4'],
    ],
  );
  assert.deepEqual(
    answerChallenge(['Digest realm="x", nonce="n"'], [{ realm: 'y', user: 'u', password: 'p' }], request),
    [],
  );
});

test('RFC 3261 s.7.3.1: several challenges in one header value are as good as several lines', () => {
  const read = parseChallenges(['Digest realm="a", nonce="1", Basic realm="b", Digest realm="c",nonce="2",stale=TRUE']);
  assert.deepEqual(
    read.map((challenge) => [challenge.realm, challenge.nonce, challenge.isStale]),
    [
      ['a', '1', false],
      ['c', '2', true],
    ],
  );
});

test('RFC 7616 s.3.4: counts go up with each use of a nonce, and few nonces are remembered', () => {
  const counts = new NonceCounts(2);
  assert.deepEqual(
    ['a', 'a', 'b', 'a', 'c', 'a', 'b'].map((nonce) => counts.next(nonce)),
    [1, 2, 1, 3, 1, 4, 1],
  );
});

test('RFC 8760 s.2.1: what our client answers our server takes: each algorithm, session variants, qop auth, auth-int and none', () => {
  assert.deepEqual(baseAlgorithms, ['SHA-512-256', 'SHA-256', 'MD5']);
  for (const base of baseAlgorithms) {
    for (const session of ['', '-sess']) {
      for (const qop of [', qop="auth"', ', qop="auth-int"', '']) {
        const server = makeServer({ algorithms: [base] });
        const [offered] = server.challenge(1000);
        const challenge = offered!
          .replace(`algorithm=${base}`, `algorithm=${base}${session}`)
          .replace(', qop="auth"', qop);
        const [value] = answerChallenge([challenge], [alice], request);
        assert.deepEqual(server.verify([value!], request, 1001), { user: 'alice' }, challenge);
      }
    }
  }
});

test('RFC 7616 s.5.2: users may be known by H(user:realm:password) alone', () => {
  const ha1 = secretHash('SHA-256', 'alice', realm, alice.password);
  const server = makeServer({ users: () => ({ ha1: { 'SHA-256': ha1.toUpperCase() } }) });
  const challenges = server.challenge(0);
  const [, sha256, md5] = challenges;
  const verify = (challenge: string) => server.verify(answerChallenge([challenge], [alice], request), request, 0);
  assert.deepEqual(verify(sha256!), { user: 'alice' });
  assert.equal(verify(md5!).user, undefined, 'no secret for MD5');
});

test('RFC 7616 s.3.4.2: any user name and password pass, whatever quotes they hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (user, password) => {
      fc.pre(!/[\0-\x1f\x7f]/.test(user));
      const server = makeServer({ users: (name) => (name === user ? { password } : undefined) });
      const answers = answerChallenge(server.challenge(0), [{ user, password }], request);
      assert.deepEqual(server.verify(answers, request, 0), { user });
    }),
  );
});

test('RFC 7616 s.3.4.1: anything changed in request or answer is refused, and it is no matter of a stale nonce', () => {
  const server = makeServer();
  const [value] = answerChallenge(server.challenge(0), [alice], request);
  const refuses = (authorization: string[], changed: Partial<SignedRequest> = {}) =>
    assert.deepEqual(
      { ...server.verify(authorization, { ...request, ...changed }, 0), why: '' },
      { isStale: false, why: '' },
      authorization[0],
    );
  refuses([]);
  refuses(['Basic YWxpY2U6c2VjcmV0']);
  refuses(['Digest']);
  refuses(['"']);
  refuses([value!], { method: 'REGISTER' });
  refuses([value!], { uri: 'sip:eve@example.org' });
  refuses([value!.replace('username="alice"', 'username="bob"')]);
  refuses([value!.replace('realm="example.org"', 'realm="example.com"')]);
  refuses([value!.replace(/response="../, 'response="zz')]);
  refuses([value!.replace(/response="[^"]*"/, 'response=""')]);
  refuses([value!.replace('nc=00000001', 'nc=00000002')]);
  refuses([value!.replace('nc=00000001', 'nc=0')]);
  refuses([value!.replace('nc=00000001', 'nc=00000000')]);
  refuses([value!.replace('qop=auth', 'qop=auth-int')]);
  refuses([value!.replace('qop=auth', 'qop=none')]);
  refuses([value!.replace('algorithm=SHA-512-256', 'algorithm=MD5')]);
  refuses([value!.replace('algorithm=SHA-512-256', 'algorithm=SHA-1')]);
  refuses(answerChallenge(server.challenge(0), [{ ...alice, password: 'wrong' }], request));
  assert.deepEqual(server.verify(['Digest realm="x"', value!], request, 0), { user: 'alice' }, 'ours among others');
});

test('RFC 7616 s.3.4.3: qop auth-int covers the body', () => {
  const server = makeServer();
  const challenges = server.challenge(0).map((challenge) => challenge.replace('qop="auth"', 'qop="auth-int"'));
  const answers = answerChallenge(challenges, [alice], request);
  assert.equal(server.verify(answers, { ...request, body: Buffer.from('hellO') }, 0).user, undefined);
  assert.deepEqual(server.verify(answers, request, 0), { user: 'alice' });
});

test('RFC 8760 s.2.3: an algorithm that is not offered is not taken: nobody is talked down to MD5', () => {
  const [md5] = makeServer({ algorithms: ['MD5'] }).challenge(0);
  const answers = answerChallenge([md5!], [alice], request);
  assert.deepEqual(makeServer({ algorithms: ['SHA-256'] }).verify(answers, request, 0), {
    isStale: false,
    why: 'an algorithm we do not offer',
  });
});

test('RFC 3261 s.22.4: the URI of the answer is compared as a URI', () => {
  const server = makeServer();
  const answers = answerChallenge(server.challenge(0), [alice], { ...request, uri: 'sip:bob@EXAMPLE.org' });
  assert.deepEqual(server.verify(answers, request, 0), { user: 'alice' });
});

test('RFC 7616 s.3.3: an expired or foreign nonce is stale, not wrong, when the password is right', () => {
  const server = makeServer({ nonceLifeMs: 1000 });
  const answers = answerChallenge(server.challenge(5000), [alice], request);
  assert.equal(server.verify(answers, request, 6001).user, undefined);
  assert.equal((server.verify(answers, request, 6001) as { isStale: boolean }).isStale, true);
  assert.equal((server.verify(answers, request, 4999) as { isStale: boolean }).isStale, true, 'from the future');
  assert.deepEqual(server.verify(answers, request, 6000), { user: 'alice' });
  const elsewhere = makeServer({ secret: Buffer.alloc(32, 8) });
  assert.equal((elsewhere.verify(answers, request, 5000) as { isStale: boolean }).isStale, true);
  assert.match(server.challenge(0, true)[0]!, /stale=true/);
});

test('RFC 7616 s.5.4: processes that share a secret take each other’s nonces', () => {
  const answers = answerChallenge(makeServer().challenge(0), [alice], request);
  assert.deepEqual(makeServer().verify(answers, request, 0), { user: 'alice' });
});

test('RFC 7616 s.5.5: an answer works once, and those a little late still do', () => {
  const server = makeServer();
  const challenge = parseChallenge(server.challenge(0)[0]!)!;
  const use = (count: number) => server.verify([answer(challenge, alice, request, count)], request, 0).user === 'alice';
  assert.deepEqual(
    [use(1), use(1), use(3), use(2), use(2), use(40), use(9), use(8), use(3), use(41)],
    [true, false, true, true, false, true, true, false, false, true],
  );
});

test('RFC 7616 s.5.5: without qop nothing counts, so a nonce is good for one request', () => {
  const server = makeServer();
  const challenge = server.challenge(0)[2]!.replace(', qop="auth"', '');
  const answers = answerChallenge([challenge], [alice], request);
  assert.deepEqual(server.verify(answers, request, 0), { user: 'alice' });
  assert.deepEqual(server.verify(answers, request, 0), { isStale: true, why: 'a count used before' });
});

test('RFC 7616 s.5.5: memory is bounded, and an answer cannot be used again because we forgot it', () => {
  const server = makeServer({ maxNonces: 10 });
  const first = answerChallenge(server.challenge(0), [alice], request);
  assert.deepEqual(server.verify(first, request, 0), { user: 'alice' });
  for (let now = 1; now <= 50; now++) {
    assert.deepEqual(server.verify(answerChallenge(server.challenge(now), [alice], request), request, now), {
      user: 'alice',
    });
    assert.ok(server.noncesInUse <= 10);
  }
  assert.deepEqual(server.verify(first, request, 51), { isStale: true, why: 'the nonce is forgotten' });
});

test('RFC 3261 s.26.3.2.4: strangers cost no memory: challenges and wrong answers are not remembered', () => {
  const server = makeServer();
  for (let now = 0; now < 100; now++) {
    const challenges = server.challenge(now);
    server.verify(answerChallenge(challenges, [{ user: 'eve', password: '' }], request), request, now);
    server.verify(answerChallenge(challenges, [{ ...alice, password: 'x' }], request), request, now);
  }
  assert.equal(server.noncesInUse, 0);
});

test('RFC 7616 s.5.4: another spelling of a nonce is another nonce, and not ours', () => {
  const server = makeServer();
  const challenge = parseChallenge(server.challenge(0)[0]!)!;
  assert.equal(server.verify([answer(challenge, alice, request, 1)], request, 0).user, 'alice');
  const last = challenge.nonce.at(-1)!;
  for (const other of ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'w', '8', '_']) {
    if (other === last) continue;
    const nonce = challenge.nonce.slice(0, -1) + other;
    assert.equal(server.verify([answer({ ...challenge, nonce }, alice, request, 1)], request, 0).user, undefined);
  }
  const padded = answer({ ...challenge, nonce: `${challenge.nonce}=` }, alice, request, 1);
  assert.equal(server.verify([padded], request, 0).user, undefined);
});
