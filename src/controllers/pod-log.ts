import type { Pod } from '../resources/kinds.ts';

/** The last lines that a pod's main container wrote, oldest first, asked of its node; rejects when that does not answer. */
export type ReadPodLog = (grid: string, pod: Pod, options: ReadPodLogOptions) => Promise<readonly string[]>;

export interface ReadPodLogOptions {
  readonly tailLines: number;
  /** Of the container before its newest restart. */
  readonly previous: boolean;
  readonly signal: AbortSignal;
}
