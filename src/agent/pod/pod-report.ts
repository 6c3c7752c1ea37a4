import type { PodStatus } from 'kubernetes-types/core/v1.js';
import type { Pod } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
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
  const waiting = waitingOf(record);
  const isProbed = record.probe !== undefined && record.probe.containerId === record.newest?.id;
  const status = renderPodStatus({
    ...{ pod, hostAddresses, wallMs, messages: record.messages },
    ...{ crashes: record.crashes, lastAttempt: record.lastAttempt },
    containers: [...record.containers.values()],
    podAddresses: record.address === undefined ? (record.newest?.addresses ?? []) : [record.address],
    isProbedReady: isProbed && record.probe?.isReady === true,
    isStarted: isProbed && record.probe?.isStarted === true,
    ...(record.refusal ? { refusal: record.refusal } : {}),
    ...(waiting ? { waiting } : {}),
  });
  const wantsPorts = pod.metadata.annotations?.[annotations.randomHostPorts] !== undefined;
  return wantsPorts
    ? { pod, status, annotations: { [annotations.boundHostPorts]: JSON.stringify(record.boundPorts) } }
    : { pod, status };
}

function waitingOf(record: PodRecord): { reason: string; message: string } | undefined {
  if (record.problem) return record.problem;
  if (record.trouble !== undefined) return { reason: 'ContainerCreating', message: record.trouble };
  if (record.image !== 'pulling') return undefined;
  const image = record.pod?.spec.containers[0]?.image;
  const progress = record.pullProgress === undefined ? '' : `, ${record.pullProgress}`;
  return { reason: 'ContainerCreating', message: `pulling image "${image}"${progress}` };
}

/** The API's echo of the last write may not be here yet: what was written counts. */
function withWritten(pod: Pod, written: PodStatus): Pod {
  const others = (pod.status?.conditions ?? []).filter(
    (one) => !written.conditions?.some((ours) => ours.type === one.type),
  );
  return { ...pod, status: { ...pod.status, ...written, conditions: [...others, ...(written.conditions ?? [])] } };
}
