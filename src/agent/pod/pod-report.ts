import type { PodStatus } from 'kubernetes-types/core/v1.js';
import type { Pod } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { podContainer } from '../../resources/pod-containers.ts';
import { hasEnded } from './container-facts.ts';
import type { ContainerFacts } from './container-status.ts';
import { hasPause, pauseName } from './pause.ts';
import type { PodRecord } from './pod-record.ts';
import { renderPodStatus } from './status.ts';
import type { PodReport } from './status-writer.ts';

/** What the API is told about a pod; `written` is the status that it was told last. */
export function renderPodReport(
  record: PodRecord,
  seen: Pod,
  written: PodStatus | undefined,
  hostAddresses: readonly string[],
  wallMs: number,
): PodReport {
  const pod = written ? withWritten(seen, written) : seen;
  const status = renderPodStatus({
    ...{ pod, hostAddresses, wallMs, messages: record.messages },
    containers: [...record.containers.values()],
    podAddresses: record.address === undefined ? (record.wired?.addresses ?? []) : [record.address],
    factsOf: (name) => factsOf(record, name),
    ...(record.refusal ? { refusal: record.refusal } : {}),
  });
  const wantsPorts = pod.metadata.annotations?.[annotations.randomHostPorts] !== undefined;
  return wantsPorts
    ? { pod, status, annotations: { [annotations.boundHostPorts]: JSON.stringify(record.boundPorts) } }
    : { pod, status };
}

function factsOf(record: PodRecord, name: string): ContainerFacts {
  const { crashes, lastAttempt } = record.member(name);
  const newest = record.newest(name);
  const probe = record.probes.get(newest?.id ?? '');
  const isAside = newest !== undefined && record.isStepAside(newest);
  const waiting = waitingOf(record, name);
  return {
    ...{
      crashes,
      lastAttempt,
      isProbedReady: probe?.isReady === true && !isAside,
      isStarted: probe?.isStarted === true,
    },
    ...(waiting ? { waiting } : {}),
  };
}

/** What the pause container lacks, all others wait for. */
function waitingOf(record: PodRecord, name: string): { reason: string; message: string } | undefined {
  const { pod, trouble } = record;
  const member = record.member(name);
  if (member.problem) return member.problem;
  if (pod && hasPause(pod)) {
    const pause = record.newest(pauseName);
    if (pause?.error && hasEnded(pause)) return { reason: 'CreatePodSandboxError', message: pause.error };
    const { problem } = record.member(pauseName);
    if (problem) return problem;
  }
  if (trouble !== undefined) return { reason: 'ContainerCreating', message: trouble };
  if (member.image !== 'pulling') return undefined;
  const image = pod && podContainer(pod, name)?.container.image;
  const progress = member.pullProgress === undefined ? '' : `, ${member.pullProgress}`;
  return { reason: 'ContainerCreating', message: `pulling image "${image}"${progress}` };
}

/** The API's echo of the last write may not be here yet: what was written counts. */
function withWritten(pod: Pod, written: PodStatus): Pod {
  const others = (pod.status?.conditions ?? []).filter(
    (one) => !written.conditions?.some((ours) => ours.type === one.type),
  );
  return { ...pod, status: { ...pod.status, ...written, conditions: [...others, ...(written.conditions ?? [])] } };
}
