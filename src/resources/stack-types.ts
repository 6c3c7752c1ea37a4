import type { Condition } from 'kubernetes-types/meta/v1.js';
import type { GridIngressSpec } from './grid-ingress.ts';
import type { GridNetworkSpec } from './grid-network.ts';
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
  /** Pods of other stacks may not connect to its pods, but for published ports. Default false. */
  isolate?: boolean;
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
  /** A command in the container. */
  healthcheck?: StackHealthcheck;
  /** A question that its node asks it. */
  healthCheck?: StackHealthCheck;
  /** An instance is not there before this port takes connections. */
  waitForPort?: number;
  /** Replaced after so long a time of not being ready on a node that is fine: `5m`, `never`. Default 5m. */
  replaceUnhealthyAfter?: string;
  update?: StackUpdate;
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
  /** `vip` (default): its name answers one address that stands for all instances. `dnsrr`: the instances' own addresses. */
  endpointMode?: 'vip' | 'dnsrr';
  /** Further names in the stack, lower case: Compose's `networks.default.aliases`, and `links` of others to it. */
  aliases?: string[];
  /** How the world comes to it, besides its automatic name; the first of each path counts for that. */
  ingress?: StackIngress[];
  /** False: it gets no `<service>.<stack>.<base domain>`. Default: it does, where the grid has a base domain and it an HTTP port. */
  automaticName?: boolean;
}

/** A host and path, or a port of plain TCP, that lead to a service. */
export interface StackIngress {
  /** `shop.example.org`, `*.example.org`; `*`: any that nobody names. Absent: it is about the automatic name (or, with `listen`, about none). */
  host?: string;
  /** Of the container. Default: the first HTTP port of the service. */
  port?: number;
  /** Default `/`. */
  path?: string;
  /** Default `Prefix`. */
  pathType?: 'Exact' | 'Prefix';
  /** Who makes the certificate. Default: the grid's ACME server where it can, else the grid. `none`: HTTP only. */
  tls?: 'acme' | 'internal' | 'none';
  /** A Secret of the stack's namespace that has it. */
  tlsSecret?: string;
  /** Plain TCP: the port of the ingress nodes. */
  listen?: number;
  /** By their names in annotations, and as they stand there: `{ "max-body-size": "10m" }`. */
  options?: Record<string, string>;
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

/** Asked by the node: an instance that does not answer gets no traffic, and is restarted when that goes on. */
export interface StackHealthCheck {
  protocol: 'http' | 'tcp';
  port: number;
  /** Of `http`: answered with 200 to 399. Default `/`. */
  path?: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  /** Failures in a row after which it is restarted. */
  retries: number;
  /** Failures count from then on. */
  initialDelaySeconds: number;
}

/** How instances are replaced; what is absent has the defaults of docs/guide/deploys.md. */
export interface StackUpdate {
  order?: 'start-first' | 'stop-first';
  /** Instances that are replaced at the same time; 0: all. Default 1. */
  maxAtOnce?: number;
  /** So many of a hundred instances stay healthy meanwhile. Default: all of them. */
  minHealthyPercent?: number;
  /** A new instance must have been healthy for so long. */
  monitorSeconds?: number;
  pauseSeconds?: number;
  /** Local time in `timezone` (default UTC), `02:00-04:00`. */
  window?: string;
  timezone?: string;
  autoRollback?: boolean;
  /** Without progress for so long it has failed. */
  deadlineSeconds?: number;
}

export interface StackStatus {
  observedGeneration?: number;
  /** Number of the newest stack version: one more for each other spec; a change of `instances` alone makes none. */
  version?: number;
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
    /** Written by the first server from its options; what it leaves out has the defaults of `gridNetworkOf`. */
    network?: GridNetworkSpec;
    /** How it lets the world in; what it leaves out has the defaults of `gridIngressOf`. */
    ingress?: GridIngressSpec;
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
