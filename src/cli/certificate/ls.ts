import type { Command } from 'commander';
import { certificateConditions, secretNameOf } from '../../resources/certificates.ts';
import { ageOf, humanDuration } from '../../resources/define-kind.ts';
import { type Certificate, certificates } from '../../resources/kinds.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { titleOf } from './find-certificate.ts';

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { items } = await client.list(certificates);
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: titleOf,
        empty: 'no certificates',
        columns: [
          { title: 'NAMESPACE', value: (one) => one.metadata.namespace ?? '' },
          { title: 'CERTIFICATE', value: (one) => one.metadata.name },
          { title: 'HOSTS', value: ({ spec }) => spec.hosts.join(',') },
          { title: 'ISSUER', value: ({ spec }) => spec.issuer },
          { title: 'STATE', value: stateOf },
          { title: 'EXPIRES', value: ({ status }) => timeLeft(status?.notAfter, nowMs) },
          { title: 'RENEWED', isWide: true, value: ({ status }) => timeLeft(status?.renewalTime, nowMs) },
          { title: 'SECRET', isWide: true, value: secretNameOf },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}

/** One word or two: `Ready`, `Ready, ExpiresSoon`, `Expired`, `OrderRuns`, `Failed`. */
export function stateOf({ status }: Certificate): string {
  const of = (type: string) => status?.conditions?.find((one) => one.type === type);
  const ready = of(certificateConditions.ready);
  const issuing = of(certificateConditions.issuing);
  if (ready?.status === 'True') return of(certificateConditions.expiresSoon) ? 'Ready, ExpiresSoon' : 'Ready';
  if (ready?.reason !== 'Pending') return ready?.reason ?? 'Unknown';
  return issuing && issuing.reason !== 'NotDue' ? issuing.reason : ready.reason;
}

function timeLeft(time: string | undefined, nowMs: number): string {
  if (time === undefined) return '-';
  const leftMs = Date.parse(time) - nowMs;
  return leftMs > 0 ? `in ${humanDuration(leftMs)}` : `${humanDuration(-leftMs)} ago`;
}
