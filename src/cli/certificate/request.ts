import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { certificateConditions } from '../../resources/certificates.ts';
import { type Certificate, certificates, ingresses } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { createProgress } from '../progress.ts';
import { withSession } from '../session.ts';
import { certificateLines } from './show.ts';

export interface RequestFlags {
  readonly name?: string;
  readonly issuer: string;
  readonly namespace: string;
  readonly timeout: string;
}

const askEveryMs = 250;

export async function request(hosts: readonly string[], flags: RequestFlags, command: Command): Promise<void> {
  const { issuer, namespace } = flags;
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  if (issuer !== 'acme' && issuer !== 'internal') {
    throw new FlotillaError('BadUsage', `unknown issuer "${issuer}"`, { hint: 'one of acme, internal' });
  }
  const name = flags.name ?? (hosts[0] ?? '').replace(/^\*\./, 'wildcard.');
  await withSession(command, async ({ client }) => {
    const askedMs = Date.now();
    const certificate: Certificate = {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Certificate',
      metadata: { name, namespace },
      spec: { hosts: [...hosts], issuer },
    };
    const before = await createOrRenew(client, certificate, askedMs);
    const made = await waitForCertificate(client, { namespace, name }, before, timeoutMs);
    const { items } = await client.list(ingresses, { namespace });
    for (const line of certificateLines(made, items, Date.now())) print(line);
  });
}

/** Its state before, when there was one: it is asked to be renewed now. */
async function createOrRenew(client: Client, wanted: Certificate, askedMs: number): Promise<Certificate | undefined> {
  try {
    await client.create(certificates, wanted);
    return undefined;
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
  const { namespace, name } = wanted.metadata;
  const old = await client.get(certificates, { namespace, name });
  if (old.spec.hosts.join() !== wanted.spec.hosts.join() || old.spec.issuer !== wanted.spec.issuer) {
    throw new FlotillaError(
      'Conflict',
      `certificate ${namespace}/${name} exists, for ${old.spec.hosts.join(', ')} by ${old.spec.issuer}`,
      { hint: `--name gives the new one another name, or flotilla certificate rm ${namespace}/${name}` },
    );
  }
  const body = { metadata: { annotations: { [annotations.renewRequested]: new Date(askedMs).toISOString() } } };
  await client.patch(certificates, { namespace, name }, { type: 'merge', body });
  return old;
}

/** Whether a certificate that was asked for is there, or why not. */
export type RequestVerdict =
  | { readonly type: 'done' }
  /** `isFinal`: nothing is tried again before something else is changed. */
  | { readonly type: 'failed'; readonly message: string; readonly isFinal: boolean }
  | { readonly type: 'waits'; readonly message: string };

export function judgeRequest(now: Certificate, before: Certificate | undefined): RequestVerdict {
  const of = (type: string) => now.status?.conditions?.find((one) => one.type === type);
  const ready = of(certificateConditions.ready);
  const issuing = of(certificateConditions.issuing);
  const isNew = now.status?.serialNumber !== before?.status?.serialNumber;
  if (ready?.status === 'True' && isNew && !now.status?.order) return { type: 'done' };
  const isRefused = issuing?.status === 'False' && issuing.reason !== 'NotDue';
  const wasSaid = before?.status?.conditions?.some(
    (one) => one.type === issuing?.type && one.message === issuing?.message,
  );
  if (issuing && isRefused && !wasSaid)
    return { type: 'failed', message: issuing.message, isFinal: issuing.reason !== 'Failed' };
  if (ready?.reason === 'SecretTaken') return { type: 'failed', message: ready.message, isFinal: true };
  return {
    type: 'waits',
    message: issuing?.status === 'True' ? issuing.message : (ready?.message ?? 'waits for the leader'),
  };
}

async function waitForCertificate(
  client: Client,
  ref: { readonly namespace: string; readonly name: string },
  before: Certificate | undefined,
  timeoutMs: number,
): Promise<Certificate> {
  const progress = createProgress();
  const endMs = performance.now() + timeoutMs;
  const hint = `the leader goes on by itself: flotilla certificate show ${ref.namespace}/${ref.name}`;
  try {
    for (;;) {
      const now = await client.get(certificates, ref);
      const verdict = judgeRequest(now, before);
      if (verdict.type === 'done') return now;
      if (verdict.type === 'failed')
        throw new FlotillaError(
          verdict.isFinal ? 'Invalid' : 'AcmeFailed',
          verdict.message,
          verdict.isFinal ? {} : { hint },
        );
      if (performance.now() > endMs) {
        const what = `certificate ${ref.namespace}/${ref.name} is not there after ${Math.round(timeoutMs / 1_000)} s`;
        throw new FlotillaError('DeadlineExceeded', `${what}: ${verdict.message}`, { hint });
      }
      progress.show(verdict.message);
      await delay(askEveryMs);
    }
  } finally {
    progress.end();
  }
}
