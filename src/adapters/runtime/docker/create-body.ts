import type { ContainerSpec, MountSpec } from '../port.ts';

/** Docker's own period; quota = limit of the period. */
const cpuPeriodMicros = 100_000;
/** cgroup weights: 1024 for one cpu, never below what the kernel takes. */
const sharesPerCpu = 1024;
const minShares = 2;

/** The body of `POST /containers/create`. No restart policy: the agent alone decides about restarts. */
export function renderCreateBody(spec: ContainerSpec): Record<string, unknown> {
  const published = spec.ports.map((port) => ({
    ...port,
    key: `${port.containerPort}/${port.protocol.toLowerCase()}`,
  }));
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of published) {
    const binding = { HostIp: port.hostIP ?? '', HostPort: port.hostPort === undefined ? '' : String(port.hostPort) };
    bindings[port.key] = [...(bindings[port.key] ?? []), binding];
  }
  const network = spec.network;
  const isJoined = typeof network !== 'string' && 'container' in network;
  return {
    Image: spec.image,
    Labels: spec.labels,
    Env: spec.environment.map(({ name, value }) => `${name}=${value}`),
    ExposedPorts: Object.fromEntries(published.map((port) => [port.key, {}])),
    Tty: spec.tty ?? false,
    OpenStdin: spec.openStdin ?? false,
    StdinOnce: spec.stdinOnce ?? false,
    ...(spec.entrypoint ? { Entrypoint: spec.entrypoint } : {}),
    ...(spec.command ? { Cmd: spec.command } : {}),
    ...(spec.workingDir ? { WorkingDir: spec.workingDir } : {}),
    ...(spec.user ? { User: spec.user } : {}),
    // The engine refuses a host name of its own in a network that is not the container's own.
    ...(spec.hostname && network !== 'host' && !isJoined ? { Hostname: spec.hostname } : {}),
    HostConfig: {
      NetworkMode: networkMode(network),
      PortBindings: bindings,
      Mounts: spec.mounts.map(renderMount),
      RestartPolicy: { Name: 'no' },
      // Bounded: a chatty container must not fill the disk. Two files, so that there is always a last 10 MB.
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
      ReadonlyRootfs: spec.readOnlyRootFilesystem ?? false,
      Privileged: spec.privileged ?? false,
      CapAdd: spec.addCapabilities ?? [],
      CapDrop: spec.dropCapabilities ?? [],
      ExtraHosts: spec.extraHosts ?? [],
      GroupAdd: (spec.supplementalGroups ?? []).map(String),
      Sysctls: spec.sysctls ?? {},
      ...(spec.noNewPrivileges ? { SecurityOpt: ['no-new-privileges:true'] } : {}),
      ...(spec.hostPid ? { PidMode: 'host' } : {}),
      ...(spec.pidOf === undefined ? {} : { PidMode: `container:${spec.pidOf}` }),
      ...(spec.hostIpc ? { IpcMode: 'host' } : {}),
      ...(spec.shareableIpc ? { IpcMode: 'shareable' } : {}),
      ...(spec.ipcOf === undefined ? {} : { IpcMode: `container:${spec.ipcOf}` }),
      ...renderResources(spec),
    },
    ...(typeof network === 'string' || 'container' in network
      ? {}
      : {
          NetworkingConfig: {
            EndpointsConfig: { [network.name]: { IPAMConfig: { IPv4Address: network.address } } },
          },
        }),
  };
}

function networkMode(network: ContainerSpec['network']): string {
  if (typeof network === 'string') return network;
  return 'container' in network ? `container:${network.container}` : network.name;
}

function renderResources(spec: ContainerSpec): Record<string, number> {
  const out: Record<string, number> = {};
  if (spec.cpuLimitMillis !== undefined) {
    out.CpuPeriod = cpuPeriodMicros;
    // 1 ms is the least that the kernel accepts.
    out.CpuQuota = Math.max(1000, Math.round((spec.cpuLimitMillis * cpuPeriodMicros) / 1000));
  }
  if (spec.cpuRequestMillis !== undefined) {
    out.CpuShares = Math.max(minShares, Math.round((spec.cpuRequestMillis * sharesPerCpu) / 1000));
  }
  if (spec.memoryLimitBytes !== undefined) {
    out.Memory = spec.memoryLimitBytes;
    // Memory and swap together: the same number means no swap.
    out.MemorySwap = spec.memoryLimitBytes;
  }
  return out;
}

function renderMount(mount: MountSpec): Record<string, unknown> {
  if (mount.type === 'tmpfs') {
    const size = mount.sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.sizeBytes } };
    return { Type: 'tmpfs', Target: mount.target, ...size };
  }
  return {
    Type: mount.type,
    Source: mount.source,
    Target: mount.target,
    ReadOnly: mount.readOnly,
    // Kubernetes' default, mountPropagation None: later mounts travel in neither direction.
    ...(mount.type === 'bind' ? { BindOptions: { Propagation: 'rprivate' } } : {}),
  };
}
