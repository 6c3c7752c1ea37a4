import type { Readable, Writable } from 'node:stream';

/**
 * What holds the address of a pod of several containers: ends at SIGTERM or SIGINT, reaps its children, and does nothing. The
 * version is the program's: a new Flotilla brings no new image.
 */
export const pauseImage = 'flotilla/pause:1';

/**
 * Runs containers on one host. Everything it makes carries `flotilla.dev/managed`; it neither lists nor touches anything
 * else. All calls have deadlines and throw FlotillaError EngineFailed (retryable when the engine is away).
 */
export interface ContainerRuntime {
  /** Name, version, capacity and health of the engine. Throws EngineTooOld when it lacks what Flotilla needs. */
  info(): Promise<RuntimeInfo>;

  /** Our containers, running or not. After each reconnect this is the truth: events of the engine's down time are lost. */
  list(): Promise<readonly ContainerObservation[]>;

  /** Undefined when it does not exist. */
  inspect(containerId: string): Promise<ContainerObservation | undefined>;

  /** Calls back at each change of a container of ours, and with `resync` after every (re)connect. */
  watch(handlers: RuntimeHandlers, signal: AbortSignal): void;

  hasImage(image: string): Promise<boolean>;

  /** Throws ImagePullFailed with the registry's words; retryable unless the image does not exist. */
  pull(image: string, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<void>;

  /** Makes `pauseImage` on the host, without a registry. Idempotent. */
  makePauseImage(): Promise<void>;

  /** Creates, does not start. The name is deterministic: creating the same one twice gives the existing id. */
  create(spec: ContainerSpec): Promise<string>;
  start(containerId: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), `graceSeconds`, SIGKILL. Resolves when it has ended. Idempotent. */
  stop(containerId: string, graceSeconds: number): Promise<void>;
  kill(containerId: string, signal: string): Promise<void>;
  /** Lets a paused container go on. Idempotent. */
  resume(containerId: string): Promise<void>;
  /** Kills it when it runs; its anonymous volumes go with it. Idempotent. */
  remove(containerId: string): Promise<void>;
  /** Ends what a killed engine left of a container that it says not to run: no call of its own can. Idempotent. */
  reap(containerId: string): Promise<void>;

  /** One stream a call; ends with the container unless `follow` is false (then at the log's end). */
  logs(containerId: string, options: LogOptions, signal: AbortSignal): Promise<LogStream>;

  exec(containerId: string, options: ExecOptions, signal: AbortSignal): Promise<ExecSession>;

  /** Joins the container's own process. Its exit code is always 0: the container's is observed. */
  attach(containerId: string, options: AttachOptions, signal: AbortSignal): Promise<ExecSession>;

  /** The pod network, with the subnet and gateway given; made again when it differs and is unused. */
  ensureNetwork(network: NetworkSpec): Promise<void>;

  /** A named volume; idempotent. */
  ensureVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  listVolumes(): Promise<readonly { name: string; labels: Readonly<Record<string, string>> }[]>;
  removeVolume(name: string): Promise<void>;
}

export interface RuntimeInfo {
  /** `docker` or `podman`. */
  readonly engine: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  readonly architecture: string;
  /** Containers survive a restart of the engine. */
  readonly hasLiveRestore: boolean;
  /** The engine's data directory, to watch its disk. */
  readonly rootDirectory: string;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'dead' | 'paused' | 'restarting' | 'removing';

export interface ContainerObservation {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string;
  /** `sha256:…` */
  readonly imageId: string;
  readonly state: ContainerState;
  readonly exitCode?: number;
  readonly wasOomKilled: boolean;
  /** The engine's own words when it could not start. */
  readonly error?: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly pid?: number;
  /** Of the pod network; empty in a host network or when not running. */
  readonly addresses: readonly string[];
  readonly hostPorts: readonly BoundPort[];
}

export interface BoundPort {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIP?: string;
  readonly protocol: 'TCP' | 'UDP';
}

export type ContainerEvent = 'create' | 'start' | 'die' | 'oom' | 'destroy' | 'rename' | 'pause' | 'unpause';

export interface RuntimeHandlers {
  /** State may have changed: look at it. */
  readonly onContainer: (containerId: string, event: ContainerEvent) => void;
  /** Connected (again): list and inspect everything. */
  readonly onResync: () => void;
  /** The engine cannot be reached; tries go on. */
  readonly onDisconnect: (error: Error) => void;
}

export interface PullProgress {
  readonly currentBytes: number;
  readonly totalBytes: number;
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly hostname?: string;
  /** `container`: id of the running one whose network it shares, with its host name, its ports and its `/etc/hosts`. */
  readonly network:
    | { readonly name: string; readonly address: string }
    | { readonly container: string }
    | 'host'
    | 'none';
  readonly ports: readonly { containerPort: number; hostPort?: number; hostIP?: string; protocol: 'TCP' | 'UDP' }[];
  readonly mounts: readonly MountSpec[];
  /** Hard limits; absent: none. */
  readonly cpuLimitMillis?: number;
  readonly memoryLimitBytes?: number;
  /** Weight when cpu is short. */
  readonly cpuRequestMillis?: number;
  readonly readOnlyRootFilesystem?: boolean;
  readonly privileged?: boolean;
  readonly addCapabilities?: readonly string[];
  readonly dropCapabilities?: readonly string[];
  readonly tty?: boolean;
  readonly openStdin?: boolean;
  /** Its input ends with the first that attaches. */
  readonly stdinOnce?: boolean;
  readonly extraHosts?: readonly string[];
  /** No process gains rights that its parent does not have. */
  readonly noNewPrivileges?: boolean;
  /** Numbers of further groups. */
  readonly supplementalGroups?: readonly number[];
  /** Of the container's own namespaces. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Sees the host's processes. */
  readonly hostPid?: boolean;
  readonly hostIpc?: boolean;
  /** Others may share its System V IPC, its queues and its `/dev/shm`. */
  readonly shareableIpc?: boolean;
  /** Ids of running containers whose IPC and whose processes it shares. */
  readonly ipcOf?: string;
  readonly pidOf?: string;
}

export type MountSpec =
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly type: 'volume'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes?: number };

export interface LogOptions {
  readonly follow: boolean;
  readonly tailLines?: number;
  /** RFC 3339 or seconds since 1970. */
  readonly since?: string;
  readonly timestamps: boolean;
}

export interface LogStream {
  /** Ends when the log ends. */
  readonly lines: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly environment?: readonly string[];
}

export interface AttachOptions {
  readonly stdin: boolean;
  /** What it has written so far comes first. */
  readonly withLog: boolean;
}

export interface ExecSession {
  /** Write here when `stdin` was asked for; `end()` is end of file, but on a terminal, whose input has none. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** Ends at once when `tty`. */
  readonly stderr: Readable;
  resize(columns: number, rows: number): Promise<void>;
  /** Resolves after the streams have ended. */
  exitCode(): Promise<number>;
}

export interface NetworkSpec {
  readonly name: string;
  readonly bridgeName: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly mtu: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Host interfaces whose routed traffic Engine ≥ 28 lets in. */
  readonly trustedInterfaces: readonly string[];
}
