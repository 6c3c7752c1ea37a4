import type { Duplex, Readable, Writable } from 'node:stream';
import type { IngressReport } from '../resources/ingress-report.ts';
import type { NetworkReport } from '../resources/network-report.ts';

/**
 * What an agent answers through the tunnel. A rejected promise becomes the answer's Status by the FlotillaError's code:
 * NotFound 404, BadUsage and Invalid 400, Conflict 409, Unavailable and EngineFailed 503, everything else 500.
 * `signal` aborts when the asking side went away or the tunnel ended.
 */
export interface AgentApi {
  /** Resolves as soon as it is sure that there is a log; each chunk travels at once, as it is. */
  logs(ref: ContainerRef, options: LogsOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;

  /** Resolves when the command runs. When `signal` aborts, nobody reads it any more: end its input, then let it go. */
  exec(ref: ContainerRef, options: ExecOptions, signal: AbortSignal): Promise<ExecSession>;

  /**
   * Joins the container's own process; what it has written before is not shown, unless it waits for its first input
   * (`stdinOnce`). Its exit code is 0: how the container ended is in the pod's status.
   */
  attach(ref: ContainerRef, options: AttachOptions, signal: AbortSignal): Promise<ExecSession>;

  /** A connection to a TCP port of the pod, also to one on its own 127.0.0.1. Rejects with why both failed. */
  forward(ref: ContainerRef, port: number, signal: AbortSignal): Promise<Duplex>;

  /** Resolves when the pod has ended or left this node, or `signal` aborts. Throws at once when it does not run. */
  lifetime(ref: ContainerRef, signal: AbortSignal): Promise<{ readonly ended: Promise<void> }>;

  /** The agent's metrics, Prometheus text. */
  metrics(): string | Promise<string>;

  /** How the node's network stands; with checks it takes some seconds. */
  network(options: { readonly withChecks: boolean }, signal: AbortSignal): Promise<NetworkReport>;

  /** What the node's proxy lets in, and has counted. */
  ingress(): Promise<IngressReport>;

  /** What its proxy has let in, a line of JSON each (an AccessEntry, `time` in RFC 3339). */
  accessLog(options: AccessLogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;

  /** Calls addresses of other nodes; each with whether anything answered there. Takes a second or so. */
  probe(addresses: readonly string[], signal: AbortSignal): Promise<Readonly<Record<string, boolean>>>;
}

export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Travels from the command line to the agent's log. */
  readonly requestId: string;
}

export interface AccessLogOptions {
  readonly follow: boolean;
  readonly tailLines: number;
}

/** Kubernetes' own: `kubectl logs` flags. */
export interface LogsOptions {
  readonly follow: boolean;
  /** Of the container's attempt before this one. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export type AttachOptions = Omit<ExecOptions, 'command'>;

/** A running command; the runtime adapter's ExecSession is one. */
export interface ExecSession {
  /** Absent unless `stdin` was asked for; `end()` is end of file. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** Ends at once when `tty`. */
  readonly stderr: Readable;
  resize(columns: number, rows: number): Promise<void>;
  /** Resolves after the streams have ended. */
  exitCode(): Promise<number>;
}
