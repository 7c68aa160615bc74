// An OpenID provider of others (npm oidc-provider), as the tests of sign-in by providers want one.
//
// It prints `issuer ADDRESS`, reads the address of the server that is to sign people in by it from its input, and then prints `ready`. Each
// algorithm has a client of its own: `client-RS256` and so on, whose secret is `secret of client-RS256`.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

async function privateKeys() {
  const keys = [];
  for (const [alg, options] of [
    ['RS256', {}],
    ['ES256', {}],
    ['EdDSA', { crv: 'Ed25519' }],
  ]) {
    const { privateKey } = await generateKeyPair(alg, { ...options, extractable: true });
    const jwk = await exportJWK(privateKey);
    keys.push({ ...jwk, use: 'sig', kid: `key-${alg}` });
  }
  return { keys };
}

function client(alg, server) {
  return {
    client_id: `client-${alg}`,
    client_secret: `secret of client-${alg}`,
    id_token_signed_response_alg: alg,
    redirect_uris: [`${server}/auth/upstream/${alg.toLowerCase()}/callback`],
  };
}

// Everybody who can type a name has an account; whoever is called `nobody..` has no verified address.
function findAccount(_, id) {
  const claims = async () => ({
    sub: id,
    email: `${id}@provider.example`,
    email_verified: !id.startsWith('nobody'),
    name: `${id} of the provider`,
  });
  return { accountId: id, claims };
}

let answer = (_, response) => response.writeHead(503).end();
const listener = createServer((request, response) => answer(request, response));
await new Promise((done) => listener.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${listener.address().port}`;
console.log(`issuer ${issuer}`);

for await (const server of createInterface({ input: process.stdin })) {
  const provider = new Provider(issuer, {
    clients: ALGORITHMS.map((alg) => client(alg, server)),
    jwks: await privateKeys(),
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['of a test'] },
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    findAccount,
    pkce: { required: () => true },
  });
  answer = provider.callback();
  console.log('ready');
}
process.exit(0);
