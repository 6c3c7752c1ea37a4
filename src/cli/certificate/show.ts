import type { Command } from 'commander';
import { certificateConditions, secretNameOf } from '../../resources/certificates.ts';
import { humanDuration } from '../../resources/define-kind.ts';
import { type Certificate, certificates, type Ingress, ingresses } from '../../resources/kinds.ts';
import { print, printObject } from '../output.ts';
import { withSession } from '../session.ts';
import { findCertificate, titleOf } from './find-certificate.ts';
import { stateOf } from './ls.ts';
import { usersOf } from './users-of.ts';

export async function show(name: string, flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const certificate = await findCertificate(client, name);
    if (flags.output) return printObject({ ...certificate, kind: certificates.kind }, flags.output);
    const { items } = await client.list(ingresses, { namespace: certificate.metadata.namespace });
    for (const line of certificateLines(certificate, items, Date.now())) print(line);
  });
}

/** All that is known about it, one fact a line. */
export function certificateLines(certificate: Certificate, all: readonly Ingress[], nowMs: number): readonly string[] {
  const { spec, status } = certificate;
  const of = (type: string) => status?.conditions?.find((one) => one.type === type);
  const time = (text: string | undefined) => (text === undefined ? '-' : `${text} (${distance(text, nowMs)})`);
  const isManaged = spec.issuer !== 'imported';
  const rows: (readonly [string, string | undefined])[] = [
    ['certificate', titleOf(certificate)],
    ['hosts', spec.hosts.join(', ')],
    ['issuer', spec.issuer],
    ['secret', secretNameOf(certificate)],
    ['state', [stateOf(certificate), of(certificateConditions.ready)?.message].filter(Boolean).join(': ')],
    ['signed by', status?.issuedBy ?? '-'],
    ['serial', status?.serialNumber ?? '-'],
    ['holds from', time(status?.notBefore)],
    ['holds until', time(status?.notAfter)],
    ['renewal', isManaged ? time(status?.renewalTime) : 'never: bring the next one with flotilla certificate import'],
    ['used by', usersOf(certificate, all).join(', ') || 'no Ingress object'],
    ['order', orderText(certificate)],
    ['last try', lastTry(certificate)],
    ['next try', status?.nextAttemptTime && time(status.nextAttemptTime)],
    ['warning', of(certificateConditions.expiresSoon)?.message],
  ];
  return rows.flatMap(([what, value]) => (value ? [`${what.padEnd(13)}${value}`] : []));
}

function orderText({ status }: Certificate): string | undefined {
  const { order, challenges = [] } = status ?? {};
  if (!order) return undefined;
  const doing =
    order.url === undefined
      ? 'is being placed'
      : order.offerTime === undefined
        ? `waits until ingress nodes answer for ${challenges.map(({ host }) => host).join(', ')}`
        : 'waits for the ACME server';
  return `${doing}, since ${order.startTime}, at ${order.directoryURL}`;
}

function lastTry({ status }: Certificate): string | undefined {
  const issuing = status?.conditions?.find(({ type }) => type === certificateConditions.issuing);
  return issuing && issuing.reason !== 'NotDue' && issuing.status === 'False' ? issuing.message : undefined;
}

function distance(time: string, nowMs: number): string {
  const ms = Date.parse(time) - nowMs;
  return ms > 0 ? `in ${humanDuration(ms)}` : `${humanDuration(-ms)} ago`;
}
