/**
 * ACME (RFC 8555) with HTTP-01, in the few calls that an order needs. Own code: the library for it keeps 38 MB and has no way
 * to trust a further authority but for the whole process (docs/adr/0033).
 */
import { createPrivateKey } from 'node:crypto';
import { createSend, type HttpAnswer, type SendHttp } from './https.ts';
import { publicJwkOf, signBinding, signRequest, thumbprintOf } from './jws.ts';
import {
  type Authorization,
  type Directory,
  failureIn,
  parseAuthorization,
  parseDirectory,
  parseOrder,
  parseStatus,
  problemTypeOf,
} from './parse.ts';
import { type Acme, type AcmeChallenge, AcmeFailed, type AcmeOptions } from './port.ts';

export interface AcmeClientOptions extends AcmeOptions {
  readonly wallMs?: () => number;
  /** Default: HTTPS. */
  readonly send?: SendHttp;
}

/** Nonces that are refused, in a row: RFC 8555 §6.5 asks to try again with the one in the answer. */
const maxNonceTries = 10;

export function openAcme(options: AcmeClientOptions): Acme {
  const send = options.send ?? createSend(options.caCertificate);
  const wallMs = options.wallMs ?? Date.now;
  const key = createPrivateKey(options.accountKey);
  const jwk = publicJwkOf(key);
  const nonces: string[] = [];
  let directory: Directory | undefined;
  let accountURL: string | undefined;

  async function readDirectory(signal: AbortSignal): Promise<Directory> {
    directory ??= parseDirectory(
      await send({ method: 'GET', url: options.directoryURL }, signal),
      options.directoryURL,
    );
    return directory;
  }

  async function nonce(signal: AbortSignal): Promise<string> {
    const kept = nonces.pop();
    if (kept !== undefined) return kept;
    const answer = await send({ method: 'HEAD', url: (await readDirectory(signal)).newNonce }, signal);
    const fresh = answer.header('replay-nonce');
    if (fresh === undefined) throw failureIn(answer, 'a nonce', wallMs());
    return fresh;
  }

  /** Signed with the key itself (`kid` undefined) or in the account's name. */
  async function post(
    url: string,
    kid: string | undefined,
    payload: unknown,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const who = kid === undefined ? { jwk } : { kid };
    for (let tries = 1; ; tries++) {
      const body = JSON.stringify(signRequest(key, { ...who, nonce: await nonce(signal), url }, payload));
      const accept = 'application/json, application/pem-certificate-chain';
      const answer = await send({ method: 'POST', url, body, accept }, signal);
      const next = answer.header('replay-nonce');
      if (next !== undefined && nonces.length < 8) nonces.push(next);
      if (answer.status < 400 || problemTypeOf(answer) !== 'badNonce' || tries >= maxNonceTries) return answer;
    }
  }

  async function account(signal: AbortSignal): Promise<string> {
    if (accountURL !== undefined) return accountURL;
    const { newAccount } = await readDirectory(signal);
    const binding = options.externalAccount && signBinding(jwk, options.externalAccount, newAccount);
    const answer = await post(
      newAccount,
      undefined,
      {
        termsOfServiceAgreed: true,
        contact: [`mailto:${options.email}`],
        ...(binding ? { externalAccountBinding: binding } : {}),
      },
      signal,
    );
    const url = answer.header('location');
    if ((answer.status !== 200 && answer.status !== 201) || url === undefined) {
      throw failureIn(answer, `an account for ${options.email}`, wallMs());
    }
    accountURL = url;
    return url;
  }

  /** In the account's name; one that the server has forgotten (a new server, behind the same address) is made anew, once. */
  async function call(url: string, payload: unknown, doing: string, signal: AbortSignal): Promise<HttpAnswer> {
    let answer = await post(url, await account(signal), payload, signal);
    if (answer.status >= 400 && problemTypeOf(answer) === 'accountDoesNotExist') {
      accountURL = undefined;
      answer = await post(url, await account(signal), payload, signal);
    }
    if (answer.status >= 400) throw failureIn(answer, doing, wallMs());
    return answer;
  }

  const authorization = async (url: string, signal: AbortSignal): Promise<Authorization> =>
    parseAuthorization(await call(url, undefined, 'to show an authorization', signal));

  const challengeStatus = async (url: string, signal: AbortSignal): Promise<string> =>
    parseStatus(await call(url, undefined, 'to show a challenge', signal));

  return {
    account,

    async placeOrder(hosts, signal) {
      const { newOrder } = await readDirectory(signal);
      const identifiers = hosts.map((value) => ({ type: 'dns', value }));
      const answer = await call(newOrder, { identifiers }, `an order for ${hosts.join(', ')}`, signal);
      const url = answer.header('location');
      if (url === undefined) throw failureIn(answer, 'to name its order', wallMs());
      return parseOrder(answer, url, wallMs());
    },

    async readOrder(url, signal) {
      return parseOrder(await call(url, undefined, 'to show the order', signal), url, wallMs());
    },

    async challengesOf(order, signal) {
      const open: AcmeChallenge[] = [];
      for (const url of order.authorizationURLs) {
        const { host, status, challenges } = await authorization(url, signal);
        if (status === 'valid') continue;
        const challenge = challenges.find(({ type }) => type === 'http-01');
        if (!challenge) {
          const types = challenges.map(({ type }) => type).join(', ');
          throw new AcmeFailed(`the ACME server certifies ${host} by ${types || 'nothing'} only, not by http-01`);
        }
        const { token } = challenge;
        if (!/^[\w-]{1,256}$/.test(token))
          throw new AcmeFailed(`the ACME server gave a token that is none: "${token}"`);
        open.push({ url: challenge.url, host, token, keyAuthorization: `${token}.${thumbprintOf(jwk)}` });
      }
      return open;
    },

    async offerChallenge(url, signal) {
      try {
        await call(url, {}, 'to look at a challenge', signal);
      } catch (error) {
        // Some servers refuse to be told twice.
        const isTold = async () => (await challengeStatus(url, signal)) !== 'pending';
        if (!(error instanceof AcmeFailed) || error.type !== 'malformed' || !(await isTold())) throw error;
      }
    },

    async failureOf(order, signal) {
      const words: string[] = [];
      let type = '';
      for (const url of order.authorizationURLs) {
        const { host, challenges } = await authorization(url, signal);
        for (const { problem } of challenges) {
          if (!problem) continue;
          words.push(`${host}: ${problem.words}`);
          type ||= problem.type;
        }
      }
      if (words.length === 0) words.push(order.problem ?? 'it does not say why');
      return new AcmeFailed(`the ACME server refused the certificate: ${words.join('; ')}`, { type });
    },

    async finalize(finalizeURL, request, signal) {
      const csr = Buffer.from(request).toString('base64url');
      const answer = await call(finalizeURL, { csr }, 'to sign the certificate', signal);
      return parseOrder(answer, answer.header('location') ?? '', wallMs());
    },

    async download(certificateURL, signal) {
      const answer = await call(certificateURL, undefined, 'to hand the certificate over', signal);
      return answer.body;
    },
  };
}
