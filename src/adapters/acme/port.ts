import { FlotillaError } from '../../lib/errors.ts';

/** Which server, and whose account. */
export interface AcmeOptions {
  readonly directoryURL: string;
  /** PEM; believed besides the authorities that Node.js knows. */
  readonly caCertificate?: string;
  /** P-256 private key, PEM: who has it, has the account. */
  readonly accountKey: string;
  /** Where the server's owner writes to. */
  readonly email: string;
  /** An account that its owner has elsewhere (RFC 8555 §7.3.4); some servers take no other. */
  readonly externalAccount?: { readonly keyId: string /** base64url */; readonly hmacKey: string };
}

export type OpenAcme = (options: AcmeOptions) => Acme;

/**
 * An ACME server (RFC 8555) as seen by one account. Remembers nothing but the account's address: orders are known by their
 * URLs, which the caller keeps. Each call has a deadline of its own. All throw AcmeFailed.
 */
export interface Acme {
  /** The account's URL; made when the key has none yet, which agrees to the server's terms. */
  account(signal: AbortSignal): Promise<string>;
  placeOrder(hosts: readonly string[], signal: AbortSignal): Promise<AcmeOrder>;
  readOrder(url: string, signal: AbortSignal): Promise<AcmeOrder>;
  /** HTTP-01 of each authorization of the order that is still open. Throws when a host can be proven in other ways only. */
  challengesOf(order: AcmeOrder, signal: AbortSignal): Promise<readonly AcmeChallenge[]>;
  /** Tells the server to look. One that was told before is fine. */
  offerChallenge(url: string, signal: AbortSignal): Promise<void>;
  /** Why an order has become invalid: the server's own words about each host. */
  failureOf(order: AcmeOrder, signal: AbortSignal): Promise<AcmeFailed>;
  /** Asks for the certificate; `request` is PKCS #10 in DER. Only for an order that is `ready`. */
  finalize(finalizeURL: string, request: Uint8Array, signal: AbortSignal): Promise<AcmeOrder>;
  /** PEM, leaf first. */
  download(certificateURL: string, signal: AbortSignal): Promise<string>;
}

export interface AcmeOrder {
  readonly url: string;
  /** `pending`: challenges are to be passed. `ready`: to be finalized. `processing`: is being signed. */
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  readonly finalizeURL: string;
  readonly authorizationURLs: readonly string[];
  /** Of a `valid` one. */
  readonly certificateURL?: string;
  /** The server's own words. */
  readonly problem?: string;
  /** Ask again not before. */
  readonly retryAfterMs?: number;
}

export interface AcmeChallenge {
  readonly url: string;
  readonly host: string;
  readonly token: string;
  /** What is to be answered for the token. */
  readonly keyAuthorization: string;
}

/** The server refused, or could not be reached. The message has its own words. */
export class AcmeFailed extends FlotillaError {
  /** The last part of the server's error type, `rateLimited`, `unauthorized`, `malformed`; '' when it gave none. */
  readonly type: string;
  readonly status: number;
  /** The server asks not to be asked again before. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: {
      readonly type?: string;
      readonly status?: number;
      readonly retryAfterMs?: number | undefined;
      readonly hint?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super('AcmeFailed', message, {
      retryable: true,
      cause: options.cause,
      ...(options.hint === undefined ? {} : { hint: options.hint }),
    });
    this.type = options.type ?? '';
    this.status = options.status ?? 0;
    this.retryAfterMs = options.retryAfterMs;
  }
}
