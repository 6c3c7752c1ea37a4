import type { ContainerObservation, MountSpec } from '../../adapters/runtime/port.ts';
import { podContainer } from '../../resources/pod-containers.ts';
import { attemptOf, nameOf } from './container-facts.ts';
import { hasPause, pauseName } from './pause.ts';
import type { PodRecord } from './pod-record.ts';
import type { PodServices } from './pod-services.ts';

/** As Kubernetes: of the file; of the log that stands in for it. */
const maxFileBytes = 4_096;
const maxLogBytes = 2_048;
const maxLogLines = 80;
const logTimeoutMs = 5_000;
const defaultPath = '/dev/termination-log';

/** The file of this attempt, mounted where the container writes its last words. */
export async function messageMount(
  record: PodRecord,
  name: string,
  attempt: number,
  files: PodServices['files'],
): Promise<readonly MountSpec[]> {
  const target = containerOf(record, name)?.terminationMessagePath ?? defaultPath;
  if (target === '') return [];
  const source = await files.write(record.uid, fileOf(record, name, attempt), '', 0o666);
  return [{ type: 'bind', source, target, readOnly: false }];
}

/** What a container that ended has left to say; empty: nothing. */
export async function readMessage(
  record: PodRecord,
  container: ContainerObservation,
  { files, runtime }: Pick<PodServices, 'files' | 'runtime'>,
): Promise<string> {
  const name = nameOf(container);
  if (name === pauseName) return '';
  const text = await files.read(record.uid, fileOf(record, name, attemptOf(container)), maxFileBytes);
  const policy = containerOf(record, name)?.terminationMessagePolicy;
  if (text !== '' || policy !== 'FallbackToLogsOnError' || container.exitCode === 0) return text;
  const options = { follow: false, timestamps: false, tailLines: maxLogLines };
  const { lines } = await runtime.logs(container.id, options, AbortSignal.timeout(logTimeoutMs));
  let tail = Buffer.alloc(0);
  for await (const { data } of lines) tail = Buffer.concat([tail, data]).subarray(-maxLogBytes);
  return tail.toString('utf8');
}

export function dropMessage(
  record: PodRecord,
  name: string,
  attempt: number,
  files: PodServices['files'],
): Promise<void> {
  return files.drop(record.uid, fileOf(record, name, attempt));
}

function containerOf({ pod }: PodRecord, name: string) {
  return pod && podContainer(pod, name)?.container;
}

function fileOf({ pod }: PodRecord, name: string, attempt: number): string {
  return pod && hasPause(pod) ? `termination/${name}/${attempt}` : `termination/${attempt}`;
}
