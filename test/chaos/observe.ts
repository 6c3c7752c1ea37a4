import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../../src/client/http-client.ts';
import { type Lease, type Pod, pods } from '../../src/resources/kinds.ts';
import type { TestLab } from '../e2e/lab.ts';
import { readLease } from './leader.ts';
import type { Random } from './random.ts';
import { keeper } from './workload-objects.ts';

/** Watches over what must hold at every moment, not only at the end. */
export interface Observer {
  readonly violations: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** What must hold in each list of all pods, and from one to the next. */
export class PodRules {
  readonly #nodeOf = new Map<string, string>();

  /** `list` is newer than all that were given before. */
  violations(list: readonly Pod[]): string[] {
    const found: string[] = [];
    const holderOf = new Map<string, string>();
    for (const { metadata, spec, status } of list) {
      const { uid = '', name } = metadata;
      const before = this.#nodeOf.get(uid);
      if (before !== undefined && before !== spec.nodeName)
        found.push(`pod ${name} was on ${before} and is on ${String(spec.nodeName)}`);
      if (spec.nodeName) this.#nodeOf.set(uid, spec.nodeName);
      const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
      if (isOver || metadata.deletionTimestamp !== undefined || !status?.podIP) continue;
      const holder = holderOf.get(status.podIP);
      if (holder !== undefined) found.push(`pods ${holder} and ${name} both have ${status.podIP}`);
      holderOf.set(status.podIP, name);
    }
    return found;
  }
}

/** Terms only count upwards, and one term is one holder's. */
export class LeaseRules {
  readonly #holderOf = new Map<number, string>();
  #term = 0;

  violations({ spec }: Lease): string[] {
    const { leaseTransitions: term = 0, holderIdentity: holder = '' } = spec;
    if (term < this.#term) return [`the leader's term was ${this.#term} and is ${term}`];
    this.#term = term;
    const before = this.#holderOf.get(term);
    if (holder === '') return []; // released
    this.#holderOf.set(term, holder);
    return before === undefined || before === holder ? [] : [`term ${term} was ${before}'s and is ${holder}'s`];
  }
}

/** What a pod wrote into its volume once is there for ever, on one host. */
export class VolumeRules {
  #content: string | undefined;

  violations(contents: readonly string[]): string[] {
    const seen = this.#content;
    this.#content ??= contents.find((one) => one !== '');
    if (contents.length > 1) return [`the volume is on ${contents.length} hosts`];
    return seen === undefined || contents[0] === seen
      ? []
      : [`the volume held ${seen}, and holds ${contents[0] ?? 'nothing'}`];
  }
}

export function startObserver(lab: TestLab, clients: readonly HttpClient[], random: Random): Observer {
  const violations = new Set<string>();
  const podRules = new PodRules();
  const leaseRules = new LeaseRules();
  const volumeRules = new VolumeRules();
  const stopping = new AbortController();
  const repeat = async (ask: () => Promise<readonly string[]>): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const sentence of await ask().catch(() => [])) violations.add(sentence); // nobody can be asked now
      await delay(300, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = [
    repeat(async () => podRules.violations((await random.pick(clients).list(pods)).items)),
    repeat(async () => leaseRules.violations(await readLease({ clients: [random.pick(clients)] }))),
    repeat(async () => volumeRules.violations(await Promise.all(keptFiles(lab).map((file) => readFile(file, 'utf8'))))),
  ];
  return {
    violations,
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** On the disks of the hosts, also of those that are off. */
export function keptFiles(lab: TestLab): readonly string[] {
  return globSync(`/var/lib/flotilla-lab/${lab.name}/h*/docker/volumes/*${keeper.volume}/_data/${keeper.file}`);
}
