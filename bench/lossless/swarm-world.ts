// Docker Swarm as those who care set it up: start-first updates, a health check that gates them, HAProxy before it that finds
// instances by Swarm's DNS and checks each of them itself.

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually, run } from '../../test/e2e/lab.ts';
import { selfSigned } from '../../test/integration/lossless-proxy.ts';
import { type LabHosts, labDown, labUp, startSwarm } from '../lab-hosts.ts';
import { appCommand } from './load.ts';
import type { WireTarget } from './outcome.ts';
import { answers } from './site-answers.ts';
import { appPort, entryHosts, healthCheck, hosts, image, siteHost, type World, type WorldOptions } from './world.ts';

export interface SwarmWorldOptions extends WorldOptions {
  /** How long an instance that is stopped says that it is not well, and goes on working. 0: it stops as Node's documentation says. */
  readonly goodbyeMs: number;
}

/** Slots that HAProxy has for what DNS tells. */
const slots = 12;

export async function startSwarmWorld(options: SwarmWorldOptions): Promise<World> {
  const bin = fileURLToPath(new URL('../../bin/flotilla', import.meta.url));
  const lab: LabHosts = { bin, name: options.name, prefix: `10.99.${options.octet}`, hosts };
  labDown(lab);
  labUp(lab, ['--no-flotilla']);
  try {
    await startSwarm(lab);
    return await fill(lab, options);
  } catch (error) {
    labDown(lab);
    throw error;
  }
}

async function fill(lab: LabHosts, options: SwarmWorldOptions): Promise<World> {
  const { instances, goodbyeMs } = options;
  const collector = await options.collector(`${lab.prefix}.253`);
  const docker = (...argv: string[]) => dockerOn(lab, 'h1', argv);
  await docker('network', 'create', '--driver', 'overlay', 'net');
  await docker(
    ...['service', 'create', '--name', 'web', '--network', 'net', '--endpoint-mode', 'dnsrr'],
    ...['--replicas', String(instances), '--no-resolve-image', '--stop-grace-period', '15s'],
    ...['--update-order', 'start-first', '--update-parallelism', '1', '--update-delay', '1s', '--update-monitor', '2s'],
    // Shell words: Swarm knows health checks in this form only.
    ...['--health-cmd', healthCheck.join(' '), '--health-interval', '1s', '--health-timeout', '2s'],
    ...['--health-retries', '2', '--health-start-period', '1s'],
    ...['--env', `COLLECTOR=${collector}`, '--env', `PORT=${appPort}`, '--env', `GOODBYE_MS=${goodbyeMs}`],
    ...['--env', `ON_TERM=${options.onTerm}`],
    ...['--env', 'VERSION=1', image, ...appCommand()],
  );
  const { key, cert } = await selfSigned(siteHost);
  await run(['docker', '-H', socketOf(lab, 'h1'), 'config', 'create', 'haproxy', '-'], { stdin: haproxyFile() });
  await run(['docker', '-H', socketOf(lab, 'h1'), 'config', 'create', 'site', '-'], { stdin: cert + key });
  const publish = (port: number) => ['--publish', `mode=host,target=${port},published=${port}`];
  await docker(
    ...['service', 'create', '--name', 'edge', '--mode', 'global', '--network', 'net', '--no-resolve-image'],
    ...[...publish(80), ...publish(443)],
    ...['--config', 'source=haproxy,target=/etc/haproxy.cfg', '--config', 'source=site,target=/etc/site.pem'],
    ...['haproxy:2.6', 'haproxy', '-W', '-db', '-f', '/etc/haproxy.cfg'],
  );
  const at = (port: number) => entryHosts.map((host): WireTarget => ({ address: `${lab.prefix}.${host}`, port }));
  const running = async () => {
    const { stdout } = await docker(
      'service',
      'ps',
      '--filter',
      'desired-state=running',
      '--format',
      '{{.CurrentState}}',
      'web',
    );
    return stdout.split('\n').filter((line) => line.startsWith('Running')).length;
  };
  const allRunning = (count = instances) =>
    eventually(`${count} tasks of Swarm`, async () => (await running()) === count, 120_000);
  await allRunning();
  await eventually(
    'the site at every proxy',
    async () => {
      for (const target of at(80)) if (!(await answers(target, siteHost))) return false;
      return true;
    },
    60_000,
  );
  let version = 1;

  return {
    name: 'swarm',
    http: at(80),
    https: at(443),
    host: siteHost,
    phases: {
      'rolling updates': async () => {
        await docker('service', 'update', '-q', '--no-resolve-image', '--env-add', `VERSION=${++version}`, 'web');
        await eventually(
          'the update to be done',
          async () => {
            const { stdout } = await docker('service', 'inspect', '-f', '{{.UpdateStatus.State}}', 'web');
            return stdout.trim() === 'completed';
          },
          120_000,
        );
      },
      'scale-ups and -downs': async () => {
        await docker('service', 'scale', `web=${instances + 2}`);
        await docker('service', 'scale', `web=${instances}`);
        await delay(1_000); // the command returns before the surplus has stopped
      },
      drains: async (round) => {
        // Not h1, which manages, nor h2: what is drained there is the proxy itself.
        const host = 'h3';
        await docker('node', 'update', '--availability', 'drain', host);
        await eventually(
          `no task on ${host}`,
          async () => {
            const { stdout } = await docker('node', 'ps', '--filter', 'desired-state=running', '-q', host);
            return stdout.trim() === '' && (await running()) === instances;
          },
          120_000,
        );
        await docker('node', 'update', '--availability', 'active', host);
        // What was moved does not come back by itself; without this the second drain would find nothing.
        await docker('service', 'update', '-q', '--no-resolve-image', '--force', 'web');
        await allRunning();
        options.log(`drain ${round + 1} done`);
      },
    },
    faults: {},
    down: async () => labDown(lab),
  };
}

function haproxyFile(): string {
  return `global
  maxconn 4000
defaults
  mode http
  option idle-close-on-response
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  retries 3
  option redispatch 1
resolvers swarm
  nameserver dns 127.0.0.11:53
  resolve_retries 3
  timeout resolve 200ms
  timeout retry 200ms
  hold valid 200ms
  hold obsolete 0s
frontend in
  bind :80
  bind :443 ssl crt /etc/site.pem alpn h2,http/1.1
  default_backend web
backend web
  option httpchk GET /up
  cookie F insert indirect nocache dynamic
  dynamic-cookie-key lossless
  default-server check inter 500ms fall 1 rise 1 observe layer7 error-limit 5 on-error mark-down
  server-template web 1-${slots} tasks.web:${appPort} resolvers swarm init-addr none
`;
}

function socketOf({ name }: LabHosts, host: string): string {
  return `unix:///var/lib/flotilla-lab/${name}/${host}/docker.sock`;
}

async function dockerOn(lab: LabHosts, host: string, argv: readonly string[]) {
  const ended = await run(['docker', '-H', socketOf(lab, host), ...argv], { timeoutMs: 180_000 });
  if (ended.code !== 0) throw new Error(`docker ${argv.slice(0, 4).join(' ')}: ${ended.stderr}`);
  return ended;
}
