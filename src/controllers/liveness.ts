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
