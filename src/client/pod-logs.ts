import type { CallOptions } from './client.ts';
import type { Query } from './paths.ts';

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

export interface PodLogsOptions extends CallOptions {
  /** Default: the pod's only or first container. */
  readonly container?: string;
  readonly follow?: boolean;
  /** The container's attempt before this one. */
  readonly previous?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly timestamps?: boolean;
}

export function podLogsQuery(options: PodLogsOptions): Query {
  const { container, follow, previous, tailLines, sinceSeconds, sinceTime, timestamps } = options;
  return {
    container,
    follow: follow || undefined,
    previous: previous || undefined,
    tailLines,
    sinceSeconds,
    sinceTime,
    timestamps: timestamps || undefined,
  };
}
