import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { nodes, type Pod, pods } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { createProgress } from '../progress.ts';
import { withSession } from '../session.ts';

/**
 * Pods that have nobody to make them again stay: a drain must not lose anything. What a PodDisruptionBudget holds back is
 * asked again until it may go.
 */
export async function drain(name: string, flags: { readonly timeout: string }, command: Command): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  await withSession(command, async ({ client }) => {
    await setUnschedulable(client, name, true);
    const progress = createProgress();
    const deadlineMs = performance.now() + timeoutMs;
    const asked = new Set<string>();
    const heldBack = new Map<string, HeldBack>();
    try {
      for (;;) {
        const left = (await client.list(pods, { fieldSelector: `spec.nodeName=${name}` })).items.filter(
          (pod) => !isPodFinished(pod),
        );
        const movable = left.filter(isMade);
        if (movable.length === 0) {
          progress.end();
          const kept = left.map((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`);
          print(
            `${name} is drained${kept.length > 0 ? `; left there, since nothing would make them again: ${kept.join(', ')}` : ''}`,
          );
          return;
        }
        for (const pod of movable) {
          const uid = pod.metadata.uid ?? '';
          const isTooEarly = (heldBack.get(uid)?.againAtMs ?? 0) > performance.now();
          if (pod.metadata.deletionTimestamp || asked.has(uid) || isTooEarly) continue;
          const why = await evict(client, pod);
          if (why === undefined) {
            asked.add(uid);
            heldBack.delete(uid);
          } else heldBack.set(uid, { why, againAtMs: performance.now() + askAgainMs });
        }
        const reasons = [...new Set([...heldBack.values()].map((one) => one.why))];
        if (performance.now() > deadlineMs) {
          throw new FlotillaError(
            'DeadlineExceeded',
            `node ${name}: ${movable.length} instances are still there: ${movable.map((pod) => pod.metadata.name).join(', ')}${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`,
            {
              hint:
                reasons.length > 0
                  ? `"flotilla node drain ${name}" asks again; "flotilla node undrain ${name}" takes it back`
                  : `it goes on by itself; "flotilla node undrain ${name}" takes it back`,
            },
          );
        }
        progress.show([`${movable.length} instances to go`, ...reasons].join('; '));
        await new Promise((wake) => setTimeout(wake, 250));
      }
    } finally {
      progress.end();
    }
  });
}

export async function undrain(name: string, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    await setUnschedulable(client, name, false);
    // Whoever says that it may be used again means it: earlier losses are forgotten, too.
    const body = { metadata: { annotations: { [annotations.lostTimes]: null } } };
    await client.patch(nodes, { name }, { type: 'merge', body });
    print(`instances may start on ${name} again`);
  });
}

async function setUnschedulable(client: HttpClient, name: string, value: boolean): Promise<void> {
  await client.patch(nodes, { name }, { type: 'merge', body: { spec: { unschedulable: value ? true : null } } });
}

function isMade(pod: Pod): boolean {
  return pod.metadata.ownerReferences?.some((owner) => owner.controller) ?? false;
}

interface HeldBack {
  readonly why: string;
  readonly againAtMs: number;
}

const askAgainMs = 1_000;

/** Undefined: it goes. Otherwise why it may not go now. */
async function evict(client: HttpClient, { metadata }: Pod): Promise<string | undefined> {
  const { namespace = '', name, uid } = metadata;
  try {
    await client.evictPod({ namespace, name }, uid === undefined ? {} : { uid });
  } catch (error) {
    if (isApiError(error, 'TooManyRequests')) return error.status.details?.causes?.[0]?.message ?? error.message;
    // Gone already, or another one by now.
    if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
  }
  return undefined;
}
