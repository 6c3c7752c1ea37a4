import { isIP } from 'node:net';
import { type Certificate, type CertificateSpec, certificateConditions, secretNameOf } from '../certificates.ts';
import { ageColumn, column, defineKind, humanDuration, nameColumn, statusSubresource } from '../define-kind.ts';
import { duplicate, invalid, tooMany } from '../field-errors.ts';
import { condition, conditionList, objectMeta } from '../meta.ts';
import { dnsSubdomain, ingressHost } from '../name-checks.ts';
import { field, listOf, message } from '../schema.ts';
import { requireSame } from '../validate.ts';

const identity = { group: 'flotilla.dev', version: 'v1alpha1', kind: 'Certificate', plural: 'certificates' };

/** What Let's Encrypt takes; its size in a TLS handshake grows with it. */
const maxHosts = 100;

const spec = message(
  'CertificateSpec',
  {
    hosts: field(0, listOf('string'), {
      required: true,
      check: (hosts: readonly string[]) => hosts.flatMap((host) => hostProblems(host).map((one) => `${host}: ${one}`)),
      description: 'Lower case; *.example.org stands for one label more.',
    }),
    issuer: field(0, 'string', {
      required: true,
      allowed: ['acme', 'imported', 'internal'],
      description: "Who signs it: the grid's ACME server, the grid's own authority, or somebody who brings the Secret.",
    }),
    secretName: field(0, 'string', {
      check: dnsSubdomain,
      description: 'The Secret that has it. Default: its own name. Set once.',
    }),
  },
  {
    description: 'For which hosts, and by whom.',
    validate: ({ hosts = [], issuer }: Partial<CertificateSpec>, path, errors) => {
      if (hosts.length > maxHosts) errors.push(tooMany(`${path}.hosts`, hosts.length, maxHosts));
      const twice = hosts.find((host, at) => hosts.indexOf(host) !== at);
      if (twice !== undefined) errors.push(duplicate(`${path}.hosts`, twice));
      const wildcard = issuer === 'acme' ? hosts.find((host) => host.startsWith('*')) : undefined;
      if (wildcard === undefined) return;
      errors.push(invalid(`${path}.hosts`, wildcard, 'an ACME server certifies wildcards by DNS only: import one'));
    },
  },
);

const order = message(
  'CertificateOrder',
  {
    startTime: field(0, 'time', { description: 'When the leader began.' }),
    directoryURL: field(0, 'string', { description: 'Of the ACME server.' }),
    url: field(0, 'string', { description: 'The order; absent while the server has not answered.' }),
    finalizeURL: field(0, 'string', { description: 'Where the request for the certificate goes.' }),
    challengeURLs: field(0, listOf('string'), { description: 'Of the challenges that are to be passed.' }),
    offerTime: field(0, 'time', { description: 'When the server was told to look at the challenges.' }),
  },
  { description: 'What runs at the ACME server.' },
);

const challenge = message(
  'CertificateChallenge',
  {
    host: field(0, 'string', { description: 'For which the server asks.' }),
    token: field(0, 'string', { description: 'Last part of the path that it asks for.' }),
    keyAuthorization: field(0, 'string', { description: 'The answer.' }),
  },
  { description: 'What an ACME server asks of a host.' },
);

const status = message(
  'CertificateStatus',
  {
    conditions: field(0, listOf(condition), {
      ...conditionList,
      description: 'Ready, Issuing (with why the last try failed), ExpiresSoon.',
    }),
    notBefore: field(0, 'time', { description: 'The certificate holds from here.' }),
    notAfter: field(0, 'time', { description: 'The certificate holds until here.' }),
    serialNumber: field(0, 'string', { description: 'Hexadecimal.' }),
    issuedBy: field(0, 'string', { description: 'Who signed it.' }),
    renewalTime: field(0, 'time', { description: 'When a new one is asked for.' }),
    triedRequest: field(0, 'string', {
      description: 'What flotilla.dev/renew-requested said when a new one was tried.',
    }),
    followedRequest: field(0, 'string', { description: 'What it said when there was a new one.' }),
    failures: field(0, 'int32', { description: 'Tries in a row that failed.' }),
    nextAttemptTime: field(0, 'time', { description: 'Not tried again before.' }),
    order: field(0, order, { description: 'What runs at the ACME server now.' }),
    challenges: field(0, listOf(challenge), { description: 'What ingress nodes answer meanwhile.' }),
  },
  { description: 'What its Secret has, and what is being done.' },
);

export const certificates = defineKind<Certificate>({
  ...identity,
  shortNames: ['cert'],
  subresources: [statusSubresource(identity)],
  message: message(
    'Certificate',
    {
      metadata: field(0, objectMeta),
      spec: field(0, spec, { required: true }),
      status: field(0, status),
    },
    { description: 'A certificate for hosts, issued and renewed into a Secret.' },
  ),
  columns: [
    nameColumn(),
    column('Hosts', 'For which it is shown.', (one) => one.spec.hosts.join(',')),
    column('Issuer', 'Who signs it.', (one) => one.spec.issuer),
    column('Ready', 'Whether its Secret has a certificate that holds.', readyText),
    column('Expires', 'How long it still holds.', expiresText),
    column('Secret', 'Where it is.', secretNameOf, { priority: 1 }),
    ageColumn(),
  ],
  validateUpdate: (certificate, old, errors) => {
    requireSame(certificate.spec.secretName, old.spec.secretName, 'spec.secretName', errors);
  },
});

/** Sentences about what is wrong with the name of a host. */
export function hostProblems(host: string): readonly string[] {
  return isIP(host) > 0 ? ['must be a name, not an address'] : ingressHost(host);
}

function readyText(certificate: Certificate): string {
  return certificate.status?.conditions?.find(({ type }) => type === certificateConditions.ready)?.status ?? 'Unknown';
}

function expiresText({ status }: Certificate, nowMs: number): string {
  if (status?.notAfter === undefined) return '<none>';
  const leftMs = Date.parse(status.notAfter) - nowMs;
  return leftMs > 0 ? humanDuration(leftMs) : 'expired';
}
