/** What an image is made of. Everything that changes the result is in here or in a file named here. */
export interface Recipe {
  /** As users write it: `nginx` is served as `library/nginx`. */
  readonly name: string;
  /** `latest` and the versions that Compose files in the wild name. */
  readonly tags: readonly string[];
  /** Debian packages of a minimal root file system; absent: busybox and what `binaries` need. */
  readonly packages?: readonly string[];
  /** Paths of the packages that are not unpacked, patterns of dpkg(1). */
  readonly leftOut?: readonly string[];
  /** Programs of this machine, with the libraries they load: path here → path in the image. */
  readonly binaries?: Readonly<Record<string, string>>;
  /** Files beside this one → path in the image; `.sh` are executable. */
  readonly files?: Readonly<Record<string, string>>;
  readonly directories?: readonly string[];
  /** link → target */
  readonly links?: Readonly<Record<string, string>>;
  readonly config: ImageConfig;
}

/** The part of Docker's image configuration that containers inherit. */
export interface ImageConfig {
  readonly Cmd: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Env?: readonly string[];
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
}

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function recipes(nodeBinary: string): readonly Recipe[] {
  return [
    {
      name: 'busybox',
      tags: ['latest', '1', '1.35', 'stable'],
      config: { Cmd: ['sh'], Env: [path] },
    },
    {
      name: 'node',
      tags: ['latest', 'lts', '24', '24-slim', '24-alpine', 'alpine', 'slim'],
      binaries: { [nodeBinary]: '/usr/local/bin/node' },
      directories: ['/app'],
      config: { Cmd: ['node'], Env: [path, 'NODE_VERSION=24'] },
    },
    {
      name: 'memcached',
      tags: ['latest', '1', '1.6', 'alpine', '1-alpine'],
      packages: ['memcached', 'netcat-traditional'],
      config: {
        Cmd: ['memcached'],
        Entrypoint: ['memcached', '-u', 'nobody'],
        Env: [path],
        ExposedPorts: { '11211/tcp': {} },
      },
    },
    {
      // In front of peers that have no proxy of their own (bench/lossless).
      name: 'haproxy',
      tags: ['latest', '2.6'],
      binaries: { '/usr/sbin/haproxy': '/usr/local/sbin/haproxy' },
      config: { Cmd: ['haproxy', '-f', '/usr/local/etc/haproxy/haproxy.cfg'], Env: [path], StopSignal: 'SIGUSR1' },
    },
    {
      name: 'nginx',
      tags: ['latest', '1', '1.22', 'alpine', 'stable', 'stable-alpine'],
      packages: ['nginx-light', 'gettext-base'],
      files: {
        'nginx/docker-entrypoint.sh': '/docker-entrypoint.sh',
        'nginx/nginx.conf': '/etc/nginx/nginx.conf',
        'nginx/default.conf': '/etc/nginx/conf.d/default.conf',
        'nginx/index.html': '/usr/share/nginx/html/index.html',
      },
      links: { '/var/log/nginx/access.log': '/dev/stdout', '/var/log/nginx/error.log': '/dev/stderr' },
      config: {
        Entrypoint: ['/docker-entrypoint.sh'],
        Cmd: ['nginx', '-g', 'daemon off;'],
        Env: [path],
        ExposedPorts: { '80/tcp': {} },
        StopSignal: 'SIGQUIT',
      },
    },
    {
      name: 'postgres',
      tags: ['latest', '15', '15-alpine', '15-bookworm'],
      packages: ['postgresql-15'],
      // Only its JIT compiler needs LLVM; without it the server says so once and goes on.
      leftOut: ['/usr/lib/*/libLLVM*', '/usr/lib/postgresql/15/lib/bitcode/*', '/usr/lib/postgresql/15/lib/llvmjit*'],
      files: { 'postgres/docker-entrypoint.sh': '/usr/local/bin/docker-entrypoint.sh' },
      directories: ['/var/lib/postgresql/data', '/docker-entrypoint-initdb.d'],
      config: {
        Entrypoint: ['docker-entrypoint.sh'],
        Cmd: ['postgres'],
        Env: [`${path}:/usr/lib/postgresql/15/bin`, 'PGDATA=/var/lib/postgresql/data', 'LANG=C.UTF-8', 'PG_MAJOR=15'],
        ExposedPorts: { '5432/tcp': {} },
        Volumes: { '/var/lib/postgresql/data': {} },
        StopSignal: 'SIGINT',
      },
    },
    {
      name: 'redis',
      tags: ['latest', '7', '7.0', '7-alpine', 'alpine'],
      packages: ['redis-server', 'redis-tools'],
      files: { 'redis/docker-entrypoint.sh': '/usr/local/bin/docker-entrypoint.sh' },
      directories: ['/data'],
      config: {
        Entrypoint: ['docker-entrypoint.sh'],
        Cmd: ['redis-server'],
        Env: [path],
        ExposedPorts: { '6379/tcp': {} },
        Volumes: { '/data': {} },
        WorkingDir: '/data',
      },
    },
  ];
}
