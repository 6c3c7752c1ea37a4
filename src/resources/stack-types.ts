import type { Condition } from 'kubernetes-types/meta/v1.js';
import type { ApiObject } from './object.ts';

/** A named, versioned file's objects inside a namespace. Made by `flotilla deploy`; reconciled by the stack controller. */
export interface Stack extends ApiObject {
  spec: StackSpec;
  /** Written by the stack controller only. */
  status?: StackStatus;
}

/** The file after parsing, interpolation and normalisation: no Compose shorthand is left in it. */
export interface StackSpec {
  /** The file's own version, semver; shown, compared by nobody yet. */
  version?: string;
  services: Record<string, StackService>;
  /** Named volumes of the file; each becomes a Volume object `<stack>-<name>`, or an existing one when `external`. */
  volumes?: Record<string, StackVolume>;
  /** Base64 of the contents. Objects of this kind are encrypted at rest. */
  secrets?: Record<string, StackFile>;
  configs?: Record<string, StackFile>;
}

export interface StackFile {
  /** Base64 of the contents, ≤ 1 MiB decoded. */
  data: string;
}

export interface StackVolume {
  /** Name of a Volume object that exists already and is not owned by this stack. */
  external?: string;
  labels?: Record<string, string>;
}

export interface StackService {
  image: string;
  /** Default 1. */
  instances: number;
  /** Overrides the image's entrypoint. */
  entrypoint?: string[];
  /** Overrides the image's command. */
  command?: string[];
  environment?: Record<string, string>;
  /** Values that came from an env file or from a variable: kept in a Secret of the service's own. */
  secretEnvironment?: Record<string, string>;
  ports?: StackPort[];
  /** Container ports (TCP) reachable in the cluster, besides those of `ports`. */
  expose?: { port: number; protocol: 'TCP' | 'UDP' }[];
  mounts?: StackMount[];
  resources?: { limits?: StackResources; reservations?: StackResources };
  healthcheck?: StackHealthcheck;
  dependsOn?: Record<string, { condition: 'service_started' | 'service_healthy' | 'service_completed_successfully' }>;
  /** `always` (default; also for `unless-stopped`) is kept running for ever; `on-failure` and `no` may end. */
  restart?: 'always' | 'on-failure' | 'no';
  /** Compose `labels`: annotations of the pods (their values are free text). */
  labels?: Record<string, string>;
  user?: string;
  workingDir?: string;
  /** Seconds. Default 10, as in Compose. */
  stopGracePeriodSeconds?: number;
  failover?: {
    /** How long its node may be silent until an instance is replaced: `10s`, `1m30s`, `never`. Default: the grid's. */
    after?: string;
  };
}

export interface StackPort {
  containerPort: number;
  /** Absent: a free port of the node, chosen when the container starts. */
  hostPort?: number;
  hostIP?: string;
  protocol: 'TCP' | 'UDP';
}

export type StackMount =
  | { type: 'volume'; source: string; target: string; readOnly?: boolean }
  /** A path of the host. */
  | { type: 'bind'; source: string; target: string; readOnly?: boolean }
  | { type: 'tmpfs'; target: string; sizeBytes?: number }
  | { type: 'secret' | 'config'; source: string; target: string; mode?: number };

export interface StackResources {
  cpuMillis?: number;
  memoryBytes?: number;
}

export interface StackHealthcheck {
  /** argv; a shell form is `["/bin/sh", "-c", text]`. */
  exec: string[];
  intervalSeconds: number;
  timeoutSeconds: number;
  retries: number;
  startPeriodSeconds: number;
}

export interface StackStatus {
  observedGeneration?: number;
  /** `Available`: every service has its instances ready. `Progressing`, with a reason and a sentence. */
  conditions?: Condition[];
  services?: Record<string, StackServiceStatus>;
  /** What the stack made: `<Kind>.<group>/<name>`; removed when the file no longer says so. */
  inventory?: string[];
}

export interface StackServiceStatus {
  /** Wanted, running the newest template, and ready. */
  instances: number;
  updated: number;
  ready: number;
  /** Why it is not there yet, one sentence; absent when it is. */
  message?: string;
}

/** A named volume: a directory on one node. Instances that use it stay on that node. */
export interface Volume extends ApiObject {
  spec: {
    /** Written once, by the scheduler, when the first pod that uses it is placed; may be given at creation. */
    nodeName?: string;
  };
  /** Written by the agent of `spec.nodeName`. */
  status?: { phase?: 'Pending' | 'Bound' };
}

/** Settings of one grid; cluster-wide: lives in the grid `system`, under the grid's name. */
export interface Grid extends ApiObject {
  spec?: {
    failover?: {
      /** How long a node may be silent until its pods are replaced: `10s`, `1m30s`, `never`. Default 10s. */
      after?: string;
    };
  };
}

/** A bearer token; lives in the grid `system`. Only a hash of it is stored. */
export interface Token extends ApiObject {
  spec: {
    /** `admin`: everything. `join`: may ask for a node certificate in `grid`, nothing else. */
    type: 'admin' | 'join';
    grid?: string;
    /** RFC 3339; absent: never. */
    expiresAt?: string;
    description?: string;
  };
  status?: {
    /** SHA-256 of the secret part, hex. Written by the server at creation. */
    secretHash?: string;
    /** The token itself: only ever in the answer to its creation, never stored. */
    token?: string;
  };
}
