import type { Socket } from 'node:net';

/** Opens TCP connections to pods of this host, for port-forward. */
export interface PodDialer {
  /**
   * To the pod's address; when nothing listens there, to 127.0.0.1 and ::1 inside its network namespace. Half-open connections are kept.
   * Rejects with Unavailable, in the words of the tries: `10.80.1.2:81: connection refused, …`.
   */
  dial(target: PodTarget, signal: AbortSignal): Promise<Socket>;
  /** Ends what it started; connections go on. */
  stop(): void;
}

export interface PodTarget {
  /** Of the container whose namespace it is. */
  readonly containerId: string;
  /** Of a process in it, as this host counts; absent: only the address is tried. */
  readonly pid?: number;
  /** Absent: the pod is in the host's network. */
  readonly address?: string;
  readonly port: number;
}
