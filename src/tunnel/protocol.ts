import type { Applied, IngressProblem } from '../resources/applied.ts';

/**
 * What server and agent say to each other besides the Kubernetes API. Three connections a server, all dialled by the
 * agent, all TLS with the node's client certificate (ADR 0004):
 *
 * 1. the API, one HTTP/2 connection;
 * 2. liveness: `GET /agent/v1/liveness` with `Upgrade: flotilla-liveness`, then one JSON message a line, both ways;
 * 3. the tunnel: `GET /agent/v1/tunnel` with `Upgrade: flotilla-tunnel`, then raw HTTP/2 in which the *server* is the client.
 */
export const protocolVersion = 1;

/** What an agent or a server can do beyond the version's minimum; unknown ones are ignored. */
export const capabilities = ['logs', 'exec', 'attach', 'forward', 'watermark'] as const;

export const livenessUpgrade = 'flotilla-liveness';
export const tunnelUpgrade = 'flotilla-tunnel';
export const livenessPath = '/agent/v1/liveness';
export const tunnelPath = '/agent/v1/tunnel';
/** `POST {token-authenticated} JoinRequest → JoinResponse`. */
export const joinPath = '/agent/v1/join';
/** `POST {certificate-authenticated} { csr } → { certificate }`: renewal, same key or a new one. */
export const renewPath = '/agent/v1/renew';

export interface JoinRequest {
  readonly protocolVersion: number;
  /** PKCS #10, PEM; its key is the node's identity. */
  readonly csr: string;
  /** Wanted node name (DNS-1123); refused with 409 when another key has it. */
  readonly nodeName: string;
}

export interface JoinResponse {
  readonly nodeName: string;
  readonly grid: string;
  /** PEM, subject `O=system:nodes, OU=<grid>, CN=system:node:<name>`. */
  readonly certificate: string;
  /** All servers known now, `https://host:port`. */
  readonly servers: readonly string[];
}

export type LivenessFromAgent =
  | {
      readonly type: 'hello';
      readonly protocolVersion: number;
      readonly capabilities: readonly string[];
      readonly agentVersion: string;
    }
  | { readonly type: 'ping'; readonly sequence: number }
  /** With the capability `watermark`: after the hello, as soon as something is known, and at each change. */
  | ({ readonly type: 'applied' } & Applied)
  /** What its proxy does not do: after the hello, as soon as it is known, and at each change. All there are, also none. */
  | { readonly type: 'ingressProblems'; readonly problems: readonly IngressProblem[] };

export type LivenessFromServer =
  | {
      readonly type: 'hello';
      readonly protocolVersion: number;
      readonly capabilities: readonly string[];
      readonly serverId: string;
      /** Empty as long as the server does not know the others. */
      readonly servers: readonly string[];
      /** The agent's address as the server sees it; another one than its own: there is a NAT between. */
      readonly seenAs?: string;
    }
  | {
      readonly type: 'pong';
      readonly sequence: number;
      /** What every node that this server hears has applied. */
      readonly appliedByAll?: number;
    }
  /** All servers, as in `hello`: they have changed since, or were not known then. */
  | { readonly type: 'servers'; readonly servers: readonly string[] }
  /** The agent must not try again before somebody acts; the reason is for its log. */
  | { readonly type: 'refused'; readonly reason: string };

export const pingIntervalMs = 500;
/** No ping for so long: the session counts as silent from its last ping on. */
export const connectTimeoutMs = 1_000;
export const reconnectDelayMs = 500;

/**
 * Requests inside the tunnel (server → agent). `:path` as below, `x-request-id` on all.
 * - `GET /logs/<namespace>/<pod>/<container>?follow&previous&tailLines&sinceSeconds&sinceTime&timestamps&limitBytes`
 *   → 200, plain text, flushed a chunk; errors: JSON Status with its code.
 * - `POST /exec/<namespace>/<pod>/<container>?command=…&stdin&stdout&stderr&tty` → 200, then frames both ways.
 * - `POST /attach/<namespace>/<pod>/<container>?stdin&stdout&stderr&tty` → the same.
 * - `POST /forward/<namespace>/<pod>/<container>?port=…` → 200, then the bytes of a TCP connection both ways; either side's end
 *   goes on to the other.
 * - `GET /lifetime/<namespace>/<pod>/<container>` → 200, and its end when the pod ends.
 * - `GET /metrics` → the agent's metrics.
 * - `GET /network?check` → 200, JSON: a NetworkReport; with `check` what pods do is tried out.
 * - `GET /ingress` → 200, JSON: an IngressReport.
 * - `GET /access-log?follow&tailLines` → 200, a line of JSON a request, flushed a chunk.
 * - `GET /probe?address=…` → 200, JSON: each address, and whether the host there answers this one.
 *
 * A frame of exec: 1 byte channel (Kubernetes' numbers), 4 bytes length big-endian, payload.
 */
export const execChannels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, closeStdin: 255 } as const;
/** Largest payload of one frame; larger writes are split. */
export const maxFrameBytes = 65_536;
