import type { Applied, IngressProblem } from '../resources/applied.ts';

/**
 * The port through which node lifecycle learns who is alive. A server's `Liveness` fits it as it is; controllers do not
 * import the server.
 */
export interface LivenessPort {
  /** Monotonic milliseconds of the newest ping of a node in any session with this server; undefined: never heard. */
  lastHeardMs(grid: string, nodeName: string): number | undefined;
  /** The node's newest session came from this server's own machine. */
  isLocal(grid: string, nodeName: string): boolean;
  /** Called when a session of a node begins or ends. Returns how to stop listening. */
  onChange(listener: (grid: string, nodeName: string) => void): () => void;
  /** How far a node has applied what it was sent; undefined: it does not tell. Revision 0: it has not told yet. */
  appliedOf(grid: string, nodeName: string): Applied | undefined;
  /** Called when a node tells how far it has applied. Returns how to stop listening. */
  onApplied(listener: (grid: string, nodeName: string) => void): () => void;
  /** What the proxy of a node does not do as it was asked to; empty where there is none. */
  ingressProblemsOf(grid: string, nodeName: string): readonly IngressProblem[];
  /**
   * Called with the Ingress objects (`<namespace>/<name>`) about which a node says something else than before. Returns how to
   * stop listening.
   */
  onIngressProblems(listener: (grid: string, ingresses: readonly string[]) => void): () => void;
}

/**
 * Asks the agent of one node to call others. Addresses (of hosts and of pod networks) → whether anything answered there;
 * rejects when the agent itself does not answer in time.
 */
export type AskPeers = (
  grid: string,
  nodeName: string,
  addresses: readonly string[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, boolean>>;
