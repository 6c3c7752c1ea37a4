/**
 * The port through which node lifecycle learns who is alive. A server's `Liveness` fits it as it is; controllers do not
 * import the server.
 */
export interface LivenessPort {
  /** Monotonic milliseconds of the newest ping of a node in any session with this server; undefined: never heard. */
  lastHeardMs(grid: string, nodeName: string): number | undefined;
  /** Called when a session of a node begins or ends. Returns how to stop listening. */
  onChange(listener: (grid: string, nodeName: string) => void): () => void;
}
