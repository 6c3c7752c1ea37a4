import { type Acme, AcmeFailed, type AcmeOrder } from '../../adapters/acme/port.ts';
import { makeHostRequest } from '../../lib/x509/host-request.ts';
import { inspectTls } from '../../lib/x509/inspect-certificate.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import type { CertificateChallenge, CertificateOrder } from '../../resources/certificates.ts';
import { namesCover } from '../../resources/certificates.ts';

/** What following an order has led to. */
export type OrderProgress =
  | { readonly type: 'waits'; readonly againAfterMs: number }
  | { readonly type: 'issued'; readonly chain: string; readonly key: string };

export interface OrderKeys {
  /** The key of this order; made and kept where the next leader finds it. */
  ensure(make: () => string, signal: AbortSignal): Promise<string>;
  /** Undefined: nobody has it any more. */
  read(): string | undefined;
}

const shortestWaitMs = 250;
const longestWaitMs = 60_000;

export interface PlacedOrder {
  readonly order: CertificateOrder;
  readonly challenges: readonly CertificateChallenge[];
}

export async function placeOrder(
  acme: Acme,
  hosts: readonly string[],
  begun: CertificateOrder,
  signal: AbortSignal,
): Promise<PlacedOrder> {
  const order = await acme.placeOrder(hosts, signal);
  const open = order.status === 'pending' ? await acme.challengesOf(order, signal) : [];
  return {
    order: {
      startTime: begun.startTime,
      directoryURL: begun.directoryURL,
      url: order.url,
      finalizeURL: order.finalizeURL,
      ...(open.length > 0 ? { challengeURLs: open.map(({ url }) => url) } : {}),
    },
    challenges: open.map(({ host, token, keyAuthorization }) => ({ host, token, keyAuthorization })),
  };
}

/**
 * Asks how the order is and takes it as far as it goes. Can be cut off and done again anywhere, by another leader too: the same
 * order gives the same certificate, and its key is kept before the server sees the request. Throws AcmeFailed.
 */
export async function followOrder(
  acme: Acme,
  begun: CertificateOrder,
  hosts: readonly string[],
  keys: OrderKeys,
  ageMs: number,
  signal: AbortSignal,
): Promise<OrderProgress> {
  const url = begun.url ?? '';
  let order = await acme.readOrder(url, signal);
  if (order.status === 'ready') {
    const key = await keys.ensure(newKeyPem, signal);
    try {
      order = { ...(await acme.finalize(order.finalizeURL, makeHostRequest(key, hosts), signal)), url };
    } catch (error) {
      // A leader that has just gone was faster: the order tells.
      if (!(error instanceof AcmeFailed) || error.type !== 'orderNotReady') throw error;
      return { type: 'waits', againAfterMs: waitOf(order, ageMs) };
    }
  }
  if (order.status === 'invalid') throw await acme.failureOf(order, signal);
  if (order.status !== 'valid') return { type: 'waits', againAfterMs: waitOf(order, ageMs) };
  if (order.certificateURL === undefined) throw new AcmeFailed('the ACME server does not say where the certificate is');
  const key = keys.read();
  if (key === undefined) throw new AcmeFailed('the key of the order is gone, its Secret was removed');
  const chain = await acme.download(order.certificateURL, signal);
  const { facts, problem } = inspectTls(chain, key);
  if (problem !== undefined || !facts)
    throw new AcmeFailed(`what the ACME server issued cannot be used: ${problem ?? ''}`);
  if (!namesCover(facts.names, hosts)) {
    throw new AcmeFailed(
      `the ACME server issued a certificate for ${facts.names.join(', ')}, not for ${hosts.join(', ')}`,
    );
  }
  return { type: 'issued', chain, key };
}

/** Often at first, seldom later; as late as the server asks for. */
function waitOf({ retryAfterMs = 0 }: AcmeOrder, ageMs: number): number {
  return Math.min(longestWaitMs, Math.max(retryAfterMs, shortestWaitMs, ageMs / 4));
}

/** The order itself may still lead somewhere: the server was not reached, or had no time. */
export function isPassing(error: AcmeFailed): boolean {
  return error.type === 'unreachable' || error.type === 'rateLimited' || error.status === 429 || error.status >= 500;
}
