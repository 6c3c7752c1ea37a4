import type { Condition } from 'kubernetes-types/meta/v1.js';
import type { ApiObject } from './object.ts';

/**
 * A certificate for hosts, and the Secret (type kubernetes.io/tls, in its namespace) that has it. Made by the certificate
 * controller for Ingress objects, or by people; issued and renewed by the controller. The Secret is shown for `spec.hosts`.
 */
export interface Certificate extends ApiObject {
  spec: CertificateSpec;
  /** Written by the certificate controller only. */
  status?: CertificateStatus;
}

export interface CertificateSpec {
  /** Lower case, the first is its common name; `*.example.org` stands for one label more. The old certificate stays until there is one for others. */
  hosts: string[];
  /**
   * `acme`: the grid's ACME server, by HTTP-01. `internal`: the grid's own authority for names that nobody else certifies.
   * `imported`: somebody brings the Secret, nobody renews it.
   */
  issuer: CertificateIssuer;
  /** Default: the object's own name. */
  secretName?: string;
}

export type CertificateIssuer = 'acme' | 'internal' | 'imported';

export interface CertificateStatus {
  /** `Ready`: the Secret has a certificate that holds. `Issuing`: an order runs, or why the last one failed. `ExpiresSoon`. */
  conditions?: Condition[];
  /** What is in the Secret: RFC 3339, and upper-case hex. */
  notBefore?: string;
  notAfter?: string;
  serialNumber?: string;
  /** Who signed it, as the certificate says. */
  issuedBy?: string;
  /** When a new one is asked for: at 2/3 of its life, a little earlier or later. Absent: never. */
  renewalTime?: string;
  /** The annotation `flotilla.dev/renew-requested` that was tried, and the one that led to a certificate. */
  triedRequest?: string;
  followedRequest?: string;
  /** Tries in a row that failed. */
  failures?: number;
  /** Not tried again before. */
  nextAttemptTime?: string;
  /** While one runs: what a new leader goes on with. */
  order?: CertificateOrder;
  /** What ingress nodes answer at `/.well-known/acme-challenge/<token>`, on port 80, for `host`. */
  challenges?: CertificateChallenge[];
}

export interface CertificateOrder {
  /** When the leader began, before it asked the ACME server for anything. */
  startTime: string;
  /** Of which directory; another one makes the order void. */
  directoryURL: string;
  /** Absent: the server has not been asked yet, or nobody knows whether it answered. */
  url?: string;
  finalizeURL?: string;
  /** Of the challenges that are to be passed. */
  challengeURLs?: string[];
  /** When the server was told that the challenges can be looked at. Absent: ingress nodes may not answer yet. */
  offerTime?: string;
}

export interface CertificateChallenge {
  host: string;
  token: string;
  keyAuthorization: string;
}

export const certificateConditions = { ready: 'Ready', issuing: 'Issuing', expiresSoon: 'ExpiresSoon' } as const;

/** Where its certificate and key are: a Secret of its namespace. */
export function secretNameOf(certificate: Certificate): string {
  return certificate.spec.secretName ?? certificate.metadata.name;
}

/** Whether a certificate with this name is good for `host`: `*.example.org` is for `a.example.org`, and for itself. */
export function nameCovers(name: string, host: string): boolean {
  if (name === host) return true;
  if (!name.startsWith('*.')) return false;
  const dot = host.indexOf('.');
  return dot > 0 && !host.startsWith('*') && host.slice(dot + 1) === name.slice(2);
}

/** Whether names of one certificate are good for all of `hosts`. */
export function namesCover(names: readonly string[], hosts: readonly string[]): boolean {
  return hosts.every((host) => names.some((name) => nameCovers(name, host)));
}

/** Of every grid: where its authority and its ACME account are. */
export const systemNamespace = 'flotilla-system';
/** The grid's own authority with its key, and, for everybody, its certificate alone (`ca.crt`). */
export const authoritySecret = 'ingress-authority';
export const authorityConfigMap = 'ingress-authority';
/** Key `key` (PEM), made once; `eab-key-id` and `eab-hmac-key` where the account belongs to one elsewhere. */
export const acmeAccountSecret = 'acme-account';
export const acmeAccountType = 'flotilla.dev/acme-account';
