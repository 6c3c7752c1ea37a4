import { readFile, statfs } from 'node:fs/promises';
import type { NodeStatus } from 'kubernetes-types/core/v1.js';
import type { RuntimeInfo } from '../../adapters/runtime/port.ts';
import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { type Node, nodes } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import type { AgentSettings } from '../agent-options.ts';
import { allocatableOf, kubernetesArchitecture, renderNodeStatus } from './node-status.ts';

/** Makes this node's object and keeps its status true: on each change, and once a minute. */
export interface NodeReporter {
  /** What admission measures against, from the moment at which the engine is known: a report may take its time. */
  readonly allocatable: NodeStatus['allocatable'] | undefined;
  /** What was found out about engine or network. */
  update(findings: Partial<NodeFindings>): void;
  /** The object as the API has it now. */
  observe(node: Node | undefined): void;
  stop(): Promise<void>;
}

export interface NodeFindings {
  engine: RuntimeInfo | undefined;
  engineProblem: string | undefined;
  /** The host is about to go down. */
  isEnding: boolean;
  networkProblem: string | undefined;
  /** Of the Node object; null: not there. Ours alone. */
  annotations: Readonly<Record<string, string | null>>;
  /** Where others reach it, when that is none of its own addresses. */
  externalIP: string | undefined;
}

export interface NodeReporterOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly dataDirectory: string;
  readonly agent: Pick<AgentSettings, 'capacity' | 'labels' | 'version'>;
  readonly log: Logger;
  readonly clock?: Clock;
}

const periodMs = 60_000;
const timeoutMs = 10_000;
const retry = { initialMs: 200, maxMs: 5_000 };

export function startNodeReporter(options: NodeReporterOptions): NodeReporter {
  const { client, nodeName, clock = systemClock, log } = options;
  const abort = new AbortController();
  const findings: NodeFindings = {
    engine: undefined,
    engineProblem: undefined,
    isEnding: false,
    networkProblem: 'the pod network is not up yet',
    annotations: {},
    externalIP: undefined,
  };
  let status: NodeStatus = {};
  let writtenAnnotations = '';
  let isDirty = true;
  let running: Promise<void> | undefined;
  let cancelTimer = () => {};

  const render = async (): Promise<NodeStatus> =>
    renderNodeStatus(
      {
        nodeName,
        addresses: options.addresses,
        version: options.agent.version,
        ...(findings.externalIP === undefined ? {} : { externalIP: findings.externalIP }),
        ...(findings.engine ? { engine: findings.engine } : {}),
        isEnding: findings.isEnding,
        ...(findings.engineProblem === undefined ? {} : { engineProblem: findings.engineProblem }),
        ...(findings.networkProblem === undefined ? {} : { networkProblem: findings.networkProblem }),
        ...(await readHost(options.dataDirectory)),
      },
      options.agent.capacity,
      status.conditions ?? [],
      clock.wallMs(),
    );

  const write = async (): Promise<void> => {
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(timeoutMs)]);
    const patch = { type: 'strategic', subresource: 'status', body: { status } } as const;
    try {
      await client.patch(nodes, { name: nodeName }, patch, { signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      await client.create(nodes, renderNode(options, findings.engine), { signal });
      await client.patch(nodes, { name: nodeName }, patch, { signal });
      writtenAnnotations = '';
    }
    const { annotations } = findings;
    const text = JSON.stringify(annotations);
    if (text === writtenAnnotations) return;
    const body = { metadata: { annotations } };
    await client.patch(nodes, { name: nodeName }, { type: 'merge', body }, { signal });
    writtenAnnotations = text;
  };

  const run = async (): Promise<void> => {
    for (let failures = 0; isDirty && !abort.signal.aborted; ) {
      isDirty = false;
      try {
        status = await render();
        await write();
        failures = 0;
      } catch (error) {
        if (abort.signal.aborted) return;
        failures++;
        if (failures === 1) log.warn('node status not written, trying again', { error });
        isDirty = true;
        await clock.sleep(backoffMs(failures, retry), abort.signal).catch(() => {});
      }
    }
    cancelTimer();
    cancelTimer = clock.after(periodMs, report);
  };
  const report = () => {
    isDirty = true;
    if (abort.signal.aborted) return;
    running ??= run().finally(() => {
      running = undefined;
      if (isDirty) report(); // asked for after the last look, before this
    });
  };
  report();

  return {
    get allocatable() {
      return findings.engine && allocatableOf(findings.engine, options.agent.capacity);
    },
    update(found) {
      const before = JSON.stringify(findings);
      Object.assign(findings, found);
      if (JSON.stringify(findings) !== before) report();
    },
    observe(node) {
      // Removed by hand, or called silent by the servers: say again that we are here.
      const ours = status.conditions?.find(({ type }) => type === 'Ready')?.status;
      const theirs = node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
      const isForgotten = Object.entries(findings.annotations).some(
        ([name, value]) => (node?.metadata.annotations?.[name] ?? null) !== value,
      );
      if (isForgotten) writtenAnnotations = '';
      if (isForgotten || (ours !== undefined && ours !== theirs)) report();
    },
    async stop() {
      abort.abort(new Error('the agent stops'));
      cancelTimer();
      await running;
    },
  };
}

function renderNode(options: NodeReporterOptions, engine: RuntimeInfo | undefined): Node {
  const architecture = kubernetesArchitecture(engine?.architecture ?? process.arch);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: options.nodeName,
      labels: {
        ...options.agent.labels,
        [labels.hostname]: options.nodeName,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture,
      },
    },
    spec: {},
  };
}

async function readHost(dataDirectory: string) {
  const [disk, memory, bootId, machineId] = await Promise.all([
    statfs(dataDirectory),
    readFile('/proc/meminfo', 'utf8'),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readFile('/etc/machine-id', 'utf8').catch(() => ''),
  ]);
  return {
    disk: { totalBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize },
    memoryAvailableBytes: Number(/^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1] ?? 0) * 1024,
    bootId: bootId.trim(),
    machineId: machineId.trim(),
  };
}
